# duel_room(NAME OPTIMISE LEVEL PRECOMPILE HEADERS… [USES ROOM] [LINK_PRIVATE LIBS…]): the library duel_NAME from all sources of the folder, shared where
# BUILD_SHARED_LIBS says so.
#
# A room sees its own headers and those of the rooms below it, as "duel/ROOM/file.h", through a folder of
# links of its own: an include against the arrows does not compile.
# -Wno-restrict: g++ 12 warns of its own std::string (GCC bug 105651). clang counts constants that only the device's code, or a
# test's assertion, uses as unused, and warns of loops that it does not vectorise where the pragma asks for it.
set(DUEL_WARNINGS -Wall -Wextra -Wshadow -Wno-unknown-pragmas)
set(DUEL_NVCC_WARNINGS -Wall,-Wextra,-Wno-unknown-pragmas)  # of the host's compiler behind it
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  list(APPEND DUEL_WARNINGS -Wno-restrict)
  string(APPEND DUEL_NVCC_WARNINGS ",-Wno-restrict")
elseif(CMAKE_CXX_COMPILER_ID MATCHES "Clang")
  list(APPEND DUEL_WARNINGS -Wno-unused-const-variable -Wno-pass-failed)
endif()
if(DUEL_WERROR)
  list(APPEND DUEL_WARNINGS -Werror)
  if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")  # what these find depends on the CPU that -march=native means, often in std::string
    list(APPEND DUEL_WARNINGS -Wno-error=array-bounds -Wno-error=stringop-overflow -Wno-error=stringop-overread -Wno-error=maybe-uninitialized)
  endif()
endif()

set(DUEL_CMAKE_DIR "${CMAKE_CURRENT_LIST_DIR}")

include(DuelKernels)

# duel_kernel_options(TARGET): as duel_compile_options, for sources that hold the kernels' loops.
function(duel_kernel_options target)
  duel_compile_options(${target})
  list(JOIN DUEL_LOOP_FLAGS "," loops)
  target_compile_options(${target} PRIVATE "$<$<COMPILE_LANGUAGE:CXX>:${DUEL_LOOP_FLAGS}>"
    "$<$<COMPILE_LANGUAGE:CUDA>:-Xcompiler=${loops}>")
endfunction()

function(duel_compile_options target)
  target_compile_features(${target} PUBLIC cxx_std_20)
  set_target_properties(${target} PROPERTIES CXX_EXTENSIONS OFF POSITION_INDEPENDENT_CODE ON)
  set(host -march=${DUEL_MARCH} ${DUEL_FORMULA_FLAGS})
  list(JOIN host "," host_of_nvcc)
  target_compile_options(${target} PRIVATE
    "$<$<COMPILE_LANGUAGE:CXX>:${DUEL_WARNINGS};${host}>"
    "$<$<COMPILE_LANGUAGE:CUDA>:-std=c++20;--extended-lambda;--fmad=false;-Werror=all-warnings;-Xcompiler=${DUEL_NVCC_WARNINGS},${host_of_nvcc}>")
endfunction()

# duel_optimise(TARGET LEVEL): how hard a Release build works at the sources of a target. -O3 for the kernels: at -O2 a tenth of
# their marked loops stays scalar, as calls in them are not inlined. Elsewhere it would add seconds to the build and nothing else.
function(duel_optimise target level)
  target_compile_options(${target} PRIVATE "$<$<AND:$<CONFIG:Release>,$<COMPILE_LANGUAGE:CXX>>:${level}>")
endfunction()

# duel_precompile(TARGET HEADERS…): the headers that most of its sources read. Not with a compiler cache (a launcher), which keeps
# each source's object and knows nothing of them; CI's CUDA build goes without, so that no source relies on them.
function(duel_precompile target)
  if(NOT CMAKE_CXX_COMPILER_LAUNCHER AND CMAKE_CXX_COMPILER_ID STREQUAL "GNU" AND NOT DUEL_HAS_CUDA)
    target_precompile_headers(${target} PRIVATE ${ARGN})
  endif()
endfunction()

# duel_share_precompiled(TARGET FIRST HEADERS…): the same headers for several targets that are compiled alike, compiled once: with
# the first of them, which is kept in the variable FIRST. Rooms of one level of optimisation share those of the lowest.
function(duel_share_precompiled target first)
  if(NOT ${first})
    duel_precompile(${target} ${ARGN})
    set(${first} ${target} PARENT_SCOPE)
  else()
    get_target_property(headers ${${first}} PRECOMPILE_HEADERS)
    if(headers)
      target_precompile_headers(${target} REUSE_FROM ${${first}})
    endif()
  endif()
endfunction()

# duel_batches(TARGET [MOST]): the sources of a sub-room are compiled as one, at most MOST (ten) at a time, so names local to a file are
# the sub-room's own; half the time. Not with a compiler cache or with CUDA, for the reasons of duel_precompile.
function(duel_batches target)
  set(most 10)
  if(ARGC GREATER 1)
    set(most ${ARGV1})
  endif()
  if(NOT CMAKE_CXX_COMPILER_LAUNCHER AND CMAKE_CXX_COMPILER_ID STREQUAL "GNU" AND NOT DUEL_HAS_CUDA)
    get_target_property(sources ${target} SOURCES)
    list(FILTER sources INCLUDE REGEX "\\.cpp$")
    foreach(source ${sources})
      cmake_path(GET source PARENT_PATH folder)
      cmake_path(RELATIVE_PATH folder BASE_DIRECTORY "${PROJECT_SOURCE_DIR}")
      string(REGEX MATCH "^[^/]+(/[^/]+)?" sub_room "${folder}")
      string(MAKE_C_IDENTIFIER "${sub_room}" sub_room)
      math(EXPR ${sub_room}_sources "0${${sub_room}_sources} + 1")
      math(EXPR batch "(${${sub_room}_sources} - 1) / ${most}")
      set_source_files_properties(${source} PROPERTIES UNITY_GROUP ${sub_room}_${batch})
    endforeach()
    set_target_properties(${target} PROPERTIES UNITY_BUILD ON UNITY_BUILD_MODE GROUP)
  endif()
endfunction()

# duel_shared_library(TARGET): what it is called and shows where it is one: exported.map.
# No DEFINE_SYMBOL: a shared library's own macro would keep it from reading the headers precompiled for another room.
function(duel_shared_library target)
  set_target_properties(${target} PROPERTIES VERSION ${PROJECT_VERSION} SOVERSION ${PROJECT_VERSION_MAJOR}.${PROJECT_VERSION_MINOR} DEFINE_SYMBOL "")
  get_target_property(type ${target} TYPE)
  if(type STREQUAL "SHARED_LIBRARY" AND NOT DUEL_SANITIZE)
    target_link_options(${target} PRIVATE "LINKER:--version-script=${DUEL_CMAKE_DIR}/exported.map")
    set_property(TARGET ${target} APPEND PROPERTY LINK_DEPENDS "${DUEL_CMAKE_DIR}/exported.map")
  endif()
endfunction()

function(duel_room name)
  cmake_parse_arguments(ARG "" "USES;OPTIMISE" "LINK_PRIVATE;PRECOMPILE" ${ARGN})
  set(room "${PROJECT_SOURCE_DIR}/${name}")
  file(GLOB_RECURSE sources CONFIGURE_DEPENDS "${room}/*.cpp" "${room}/*.cu")
  set(links "${PROJECT_BINARY_DIR}/include/${name}")
  file(MAKE_DIRECTORY "${links}/duel")
  file(CREATE_LINK "${room}" "${links}/duel/${name}" SYMBOLIC)

  set(target duel_${name})
  add_library(${target} ${sources})
  add_library(Duel::${name} ALIAS ${target})
  if(name STREQUAL kernels)
    duel_kernel_options(${target})
  else()
    duel_compile_options(${target})
  endif()
  duel_optimise(${target} ${ARG_OPTIMISE})
  duel_share_precompiled(${target} room_headers${ARG_OPTIMISE} ${ARG_PRECOMPILE})
  set(room_headers${ARG_OPTIMISE} ${room_headers${ARG_OPTIMISE}} PARENT_SCOPE)
  if(NOT name STREQUAL kernels)
    duel_batches(${target} 20)
  endif()
  duel_shared_library(${target})
  target_include_directories(${target} PUBLIC "$<BUILD_INTERFACE:${links}>")  # installed: cmake/DuelInstall.cmake
  if(ARG_USES)
    target_link_libraries(${target} PUBLIC duel_${ARG_USES})
  endif()
  if(ARG_LINK_PRIVATE)
    target_link_libraries(${target} PRIVATE ${ARG_LINK_PRIVATE})
  endif()

  set(cuda_sources ${sources})
  list(FILTER cuda_sources INCLUDE REGEX "\\.cu$")
  if(cuda_sources AND DUEL_HAS_CUDA)
    target_link_libraries(${target} PRIVATE CUDA::cudart_static)
    # Registers and spills of every kernel are kept beside the object, and its PTX: see tests/ptxas_report.py and tests/ptx/.
    target_compile_options(${target} PRIVATE "$<$<COMPILE_LANGUAGE:CUDA>:-Xptxas=-v>")
    set(launcher bash "${DUEL_CMAKE_DIR}/keep_compile_report.sh" ${CMAKE_CUDA_COMPILER_LAUNCHER})
    set_target_properties(${target} PROPERTIES CUDA_COMPILER_LAUNCHER "${launcher}")
  elseif(cuda_sources)
    duel_host_families(${cuda_sources})
  endif()
endfunction()

# duel/duel.h, made of the public headers of core, nn and gan, and of what a program needs of kernels: whoever adds one need not
# list it anywhere.
function(duel_all_headers)
  set(text "// All of Duel: every public header of core, nn and gan. Made by cmake/DuelRooms.cmake.\n#pragma once\n\n")
  foreach(room kernels core nn gan)
    file(GLOB_RECURSE headers CONFIGURE_DEPENDS RELATIVE "${PROJECT_SOURCE_DIR}" "${PROJECT_SOURCE_DIR}/${room}/*.h")
    list(FILTER headers INCLUDE REGEX "^[a-z]+/[a-z]+/|^core/ops.h$|^nn/layers.h$")  # others forward to where 0.1.0 had them
    list(FILTER headers EXCLUDE REGEX "/(internal|rows)/|^kernels/[^b]|^kernels/base/[^epst]|/(platform|simd|shared_library|source_location).h$")
    list(SORT headers)
    foreach(header ${headers})
      string(APPEND text "#include \"duel/${header}\"\n")
    endforeach()
  endforeach()
  file(CONFIGURE OUTPUT "${PROJECT_BINARY_DIR}/include/gan/duel/duel.h" CONTENT "${text}" @ONLY)
endfunction()
