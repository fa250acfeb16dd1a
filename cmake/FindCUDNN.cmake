# Finds cuDNN 9's headers, which is all that compiling needs, and its library, which is loaded at run time.
#   CUDNN_FOUND, CUDNN_VERSION     from the header
#   CUDNN_INCLUDE_DIR, CUDNN_LIBRARY   the library may be missing (CUDNN_LIBRARY-NOTFOUND)
#   CUDNN_LAYOUT                   where that was: root, toolkit, system, conda or pip
#   targets CUDNN::headers, and CUDNN::cudnn where there is a library
#
# Order; the first place with a header wins, one with both is preferred:
#   root     CUDNN_INCLUDE_DIR with CUDNN_LIBRARY, CUDNN_ROOT, CUDNN_ROOT_DIR or CUDNN_PATH, each a variable or in the environment
#   toolkit  the CUDA toolkit that was found, CUDAToolkit_ROOT, $CUDA_HOME, $CUDA_PATH, /usr/local/cuda
#   system   /usr with Debian's folders, /usr/local
#   conda    $CONDA_PREFIX, also its targets/x86_64-linux
#   pip      nvidia/cudnn in the site-packages of $VIRTUAL_ENV and of the python3 on PATH
# libcudnn.so.9 is accepted without the libcudnn.so of development packages: pip wheels have none.
# CUDNN_SYSTEM_PREFIX stands before /usr and /usr/local, for the tests.

function(_cudnn_look layout)  # _cudnn_look(LAYOUT ROOTS…): sets CUDNN_INCLUDE_DIR, CUDNN_LIBRARY, CUDNN_LAYOUT in the caller
  foreach(need IN ITEMS both header)
    foreach(root IN LISTS ARGN)
      if(CUDNN_INCLUDE_DIR OR root STREQUAL "")
        continue()
      endif()
      find_path(include NAMES cudnn_version.h PATHS "${root}" PATH_SUFFIXES include include/x86_64-linux-gnu include/aarch64-linux-gnu
        NO_DEFAULT_PATH NO_CACHE)
      if(NOT include)
        continue()
      endif()
      file(STRINGS "${include}/cudnn_version.h" major REGEX "#define CUDNN_MAJOR +[0-9]+")
      string(REGEX REPLACE ".*CUDNN_MAJOR +([0-9]+).*" "\\1" major "${major}")
      find_library(library NAMES cudnn libcudnn.so.${major} NAMES_PER_DIR PATHS "${root}"
        PATH_SUFFIXES lib64 lib lib/x86_64-linux-gnu lib/aarch64-linux-gnu NO_DEFAULT_PATH NO_CACHE)
      if(library OR need STREQUAL "header")
        set(CUDNN_INCLUDE_DIR "${include}" PARENT_SCOPE)
        set(CUDNN_LIBRARY "${library}" PARENT_SCOPE)
        set(CUDNN_LAYOUT "${layout}" PARENT_SCOPE)
        return()
      endif()
      unset(include)
      unset(library)
    endforeach()
  endforeach()
endfunction()

set(_cudnn_given)
foreach(name IN ITEMS CUDNN_INCLUDE_DIR CUDNN_LIBRARY)
  if(NOT ${name} AND DEFINED ENV{${name}})
    set(${name} "$ENV{${name}}")
  endif()
endforeach()
if(CUDNN_INCLUDE_DIR)
  set(CUDNN_LAYOUT root)
endif()
foreach(name IN ITEMS CUDNN_ROOT CUDNN_ROOT_DIR CUDNN_PATH)
  list(APPEND _cudnn_given ${${name}} $ENV{${name}})
endforeach()
set(_cudnn_toolkit ${CUDAToolkit_TARGET_DIR} ${CUDAToolkit_ROOT} $ENV{CUDAToolkit_ROOT} $ENV{CUDA_HOME} $ENV{CUDA_PATH}
  "${CUDNN_SYSTEM_PREFIX}/usr/local/cuda")
set(_cudnn_conda)
if(DEFINED ENV{CONDA_PREFIX})
  set(_cudnn_conda "$ENV{CONDA_PREFIX}" "$ENV{CONDA_PREFIX}/targets/x86_64-linux")
endif()
set(_cudnn_pip)
if(DEFINED ENV{VIRTUAL_ENV})
  file(GLOB _cudnn_pip "$ENV{VIRTUAL_ENV}/lib/python3*/site-packages/nvidia/cudnn")
endif()

_cudnn_look(root ${_cudnn_given})
_cudnn_look(toolkit ${_cudnn_toolkit})
_cudnn_look(system "${CUDNN_SYSTEM_PREFIX}/usr" "${CUDNN_SYSTEM_PREFIX}/usr/local")
_cudnn_look(conda ${_cudnn_conda})
if(NOT CUDNN_INCLUDE_DIR)
  find_program(_cudnn_python python3 NO_CACHE NO_CMAKE_PATH NO_CMAKE_ENVIRONMENT_PATH)
  if(_cudnn_python)
    execute_process(COMMAND "${_cudnn_python}" -c "import site, sysconfig; print(';'.join([sysconfig.get_path('purelib'), *site.getsitepackages()]))"
      OUTPUT_VARIABLE _cudnn_packages OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET)
    list(TRANSFORM _cudnn_packages APPEND /nvidia/cudnn)
    list(APPEND _cudnn_pip ${_cudnn_packages})
  endif()
  _cudnn_look(pip ${_cudnn_pip})
endif()

set(CUDNN_VERSION)
if(CUDNN_INCLUDE_DIR AND EXISTS "${CUDNN_INCLUDE_DIR}/cudnn_version.h")
  file(STRINGS "${CUDNN_INCLUDE_DIR}/cudnn_version.h" _cudnn_lines REGEX "#define CUDNN_(MAJOR|MINOR|PATCHLEVEL) +[0-9]+")
  string(REGEX REPLACE ".*MAJOR +([0-9]+).*MINOR +([0-9]+).*PATCHLEVEL +([0-9]+).*" "\\1.\\2.\\3" CUDNN_VERSION "${_cudnn_lines}")
endif()
include(FindPackageHandleStandardArgs)
find_package_handle_standard_args(CUDNN REQUIRED_VARS CUDNN_INCLUDE_DIR VERSION_VAR CUDNN_VERSION
  REASON_FAILURE_MESSAGE "no cudnn_version.h in the CUDA toolkit, /usr, conda or pip's nvidia/cudnn: pip install nvidia-cudnn-cu13, or set CUDNN_ROOT to the folder that holds include/ and lib/")
if(CUDNN_FOUND AND NOT TARGET CUDNN::headers)
  add_library(CUDNN::headers INTERFACE IMPORTED)
  set_target_properties(CUDNN::headers PROPERTIES INTERFACE_INCLUDE_DIRECTORIES "${CUDNN_INCLUDE_DIR}")
  if(CUDNN_LIBRARY)
    add_library(CUDNN::cudnn UNKNOWN IMPORTED)
    set_target_properties(CUDNN::cudnn PROPERTIES IMPORTED_LOCATION "${CUDNN_LIBRARY}" INTERFACE_LINK_LIBRARIES CUDNN::headers)
  endif()
endif()
