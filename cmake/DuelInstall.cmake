# cmake --install, in two components: runtime (the command, shared libraries, their documentation) and development: the public headers as in the tree (internal are those in folders internal/ and rows/ and in the three
# parts of kernels/linear/), the rooms' libraries, a package for find_package(Duel CONFIG), and duel.pc for pkg-config.
# Every folder is GNUInstallDirs' and may be relative (the package can be moved) or absolute.
include(CMakePackageConfigHelpers)
include(GNUInstallDirs)

set(package_dir "${CMAKE_INSTALL_LIBDIR}/cmake/Duel")
foreach(room kernels core nn gan)
  set_target_properties(duel_${room} PROPERTIES EXPORT_NAME ${room} INSTALL_RPATH "$ORIGIN")
  install(DIRECTORY "${PROJECT_SOURCE_DIR}/${room}/" DESTINATION "${CMAKE_INSTALL_INCLUDEDIR}/duel/${room}" COMPONENT development
    FILES_MATCHING PATTERN "*.h" PATTERN "*.cuh" PATTERN "internal" EXCLUDE PATTERN "linear/host" EXCLUDE
    PATTERN "linear/device" EXCLUDE PATTERN "linear/vendor" EXCLUDE
    PATTERN "rows" EXCLUDE PATTERN "results" EXCLUDE)
endforeach()
install(FILES "${PROJECT_BINARY_DIR}/include/gan/duel/duel.h" DESTINATION "${CMAKE_INSTALL_INCLUDEDIR}/duel"
  COMPONENT development)
install(TARGETS duel duel_kernels duel_core duel_nn duel_gan EXPORT DuelTargets
  ARCHIVE DESTINATION "${CMAKE_INSTALL_LIBDIR}" COMPONENT development
  LIBRARY DESTINATION "${CMAKE_INSTALL_LIBDIR}" COMPONENT runtime NAMELINK_COMPONENT development
  INCLUDES DESTINATION "${CMAKE_INSTALL_INCLUDEDIR}")
install(EXPORT DuelTargets NAMESPACE Duel:: DESTINATION "${package_dir}" COMPONENT development)
install(FILES "${PROJECT_SOURCE_DIR}/LICENSE" "${PROJECT_SOURCE_DIR}/README.md" "${PROJECT_SOURCE_DIR}/CHANGELOG.md"
  DESTINATION "${CMAKE_INSTALL_DATAROOTDIR}/doc/Duel" COMPONENT runtime)
install(DIRECTORY "${PROJECT_SOURCE_DIR}/apps/examples" DESTINATION "${CMAKE_INSTALL_DATAROOTDIR}/doc/Duel" COMPONENT development)

# A library for this machine's CPU says so where it is installed and where it is found: elsewhere it may end in an illegal
# instruction.
set(DUEL_CPU_NOTE "")
if(DUEL_MARCH STREQUAL "native")
  execute_process(COMMAND "${CMAKE_CXX_COMPILER}" -march=native -Q --help=target OUTPUT_VARIABLE said ERROR_QUIET)
  set(cpu "")
  if(said MATCHES "-march=[ \t]+([a-z0-9.-]+)")
    set(cpu ", which g++ calls ${CMAKE_MATCH_1}")
  endif()
  set(DUEL_CPU_NOTE "Duel: compiled with -march=native for CPUs like that of the machine it was built on${cpu}; for others, DUEL_MARCH=x86-64-v3")
  install(CODE "message(STATUS \"${DUEL_CPU_NOTE}\")" ALL_COMPONENTS)
endif()

configure_package_config_file("${PROJECT_SOURCE_DIR}/cmake/DuelConfig.cmake.in" "${PROJECT_BINARY_DIR}/DuelConfig.cmake"
  INSTALL_DESTINATION "${package_dir}")
write_basic_package_version_file("${PROJECT_BINARY_DIR}/DuelConfigVersion.cmake" COMPATIBILITY SameMinorVersion)
install(FILES "${PROJECT_BINARY_DIR}/DuelConfig.cmake" "${PROJECT_BINARY_DIR}/DuelConfigVersion.cmake"
  "${PROJECT_SOURCE_DIR}/cmake/DuelKernels.cmake" DESTINATION "${package_dir}" COMPONENT development)
if(DUEL_HAS_ONEDNN)
  install(FILES "${PROJECT_SOURCE_DIR}/cmake/FindOneDNN.cmake" DESTINATION "${package_dir}" COMPONENT development)
endif()

# duel.pc: what is linked with static libraries stands in its Libs, as find_package gives it; shared ones bring it themselves.
# Relative folders are found from where the file lies.
set(pkgconfig_dir "${CMAKE_INSTALL_LIBDIR}/pkgconfig")
set(DUEL_PC_PREFIX "${CMAKE_INSTALL_PREFIX}")
if(NOT IS_ABSOLUTE "${CMAKE_INSTALL_LIBDIR}")
  file(RELATIVE_PATH up "/${pkgconfig_dir}" "/")
  string(REGEX REPLACE "/$" "" up "${up}")
  set(DUEL_PC_PREFIX "\${pcfiledir}/${up}")
endif()
foreach(folder LIBDIR INCLUDEDIR)
  set(DUEL_PC_${folder} "\${prefix}/${CMAKE_INSTALL_${folder}}")
  if(IS_ABSOLUTE "${CMAKE_INSTALL_${folder}}")
    set(DUEL_PC_${folder} "${CMAKE_INSTALL_${folder}}")
  endif()
endforeach()
foreach(folder PREFIX LIBDIR INCLUDEDIR)  # pkg-config itself sees to those in pcfiledir
  string(REGEX REPLACE "([ '])" "\\\\\\1" DUEL_PC_${folder} "${DUEL_PC_${folder}}")
endforeach()
set(DUEL_PC_REQUIRES "")
set(DUEL_PC_LIBRARIES "")
if(NOT BUILD_SHARED_LIBS)
  set(DUEL_PC_REQUIRES zlib)
  set(DUEL_PC_LIBRARIES "-pthread -ldl")
  if(DUEL_HAS_ONEDNN)
    string(APPEND DUEL_PC_LIBRARIES " ${OneDNN_LIBRARY} -fopenmp")
  endif()
  if(DUEL_HAS_CUDA)
    string(APPEND DUEL_PC_LIBRARIES " -L${CUDAToolkit_LIBRARY_DIR} -lcudart_static -lrt")
  endif()
endif()
configure_file("${PROJECT_SOURCE_DIR}/cmake/duel.pc.in" "${PROJECT_BINARY_DIR}/duel.pc" @ONLY)
install(FILES "${PROJECT_BINARY_DIR}/duel.pc" DESTINATION "${pkgconfig_dir}" COMPONENT development)
