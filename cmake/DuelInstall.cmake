# cmake --install: the public headers as in the tree (internal are those in folders internal/ and rows/ and in the three
# parts of kernels/linear/), the rooms' libraries, the licence, and a package for find_package(Duel CONFIG).
# Every folder is GNUInstallDirs' and may be relative (the package can be moved) or absolute.
include(CMakePackageConfigHelpers)
include(GNUInstallDirs)

set(package_dir "${CMAKE_INSTALL_LIBDIR}/cmake/Duel")
foreach(room kernels core nn gan)
  set_target_properties(duel_${room} PROPERTIES EXPORT_NAME ${room} INSTALL_RPATH "$ORIGIN")
  install(DIRECTORY "${PROJECT_SOURCE_DIR}/${room}/" DESTINATION "${CMAKE_INSTALL_INCLUDEDIR}/duel/${room}"
    FILES_MATCHING PATTERN "*.h" PATTERN "*.cuh" PATTERN "internal" EXCLUDE PATTERN "linear/host" EXCLUDE
    PATTERN "linear/device" EXCLUDE PATTERN "linear/vendor" EXCLUDE
    PATTERN "rows" EXCLUDE PATTERN "results" EXCLUDE)
endforeach()
install(FILES "${PROJECT_BINARY_DIR}/include/gan/duel/duel.h" DESTINATION "${CMAKE_INSTALL_INCLUDEDIR}/duel")
install(TARGETS duel duel_kernels duel_core duel_nn duel_gan EXPORT DuelTargets
  ARCHIVE DESTINATION "${CMAKE_INSTALL_LIBDIR}" LIBRARY DESTINATION "${CMAKE_INSTALL_LIBDIR}"
  INCLUDES DESTINATION "${CMAKE_INSTALL_INCLUDEDIR}")
install(EXPORT DuelTargets NAMESPACE Duel:: DESTINATION "${package_dir}")
install(FILES "${PROJECT_SOURCE_DIR}/LICENSE" "${PROJECT_SOURCE_DIR}/README.md" "${PROJECT_SOURCE_DIR}/CHANGELOG.md"
  DESTINATION "${CMAKE_INSTALL_DATAROOTDIR}/doc/Duel")
install(DIRECTORY "${PROJECT_SOURCE_DIR}/apps/examples" DESTINATION "${CMAKE_INSTALL_DATAROOTDIR}/doc/Duel")

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
  install(CODE "message(STATUS \"${DUEL_CPU_NOTE}\")")
endif()

configure_package_config_file("${PROJECT_SOURCE_DIR}/cmake/DuelConfig.cmake.in" "${PROJECT_BINARY_DIR}/DuelConfig.cmake"
  INSTALL_DESTINATION "${package_dir}")
write_basic_package_version_file("${PROJECT_BINARY_DIR}/DuelConfigVersion.cmake" COMPATIBILITY SameMinorVersion)
install(FILES "${PROJECT_BINARY_DIR}/DuelConfig.cmake" "${PROJECT_BINARY_DIR}/DuelConfigVersion.cmake"
  "${PROJECT_SOURCE_DIR}/cmake/DuelKernels.cmake" DESTINATION "${package_dir}")
if(DUEL_HAS_ONEDNN)
  install(FILES "${PROJECT_SOURCE_DIR}/cmake/FindOneDNN.cmake" DESTINATION "${package_dir}")
endif()
