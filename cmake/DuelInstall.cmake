# cmake --install: headers as duel/ROOM/file.h, the rooms' libraries, and a package for find_package(Duel CONFIG).
include(CMakePackageConfigHelpers)
include(GNUInstallDirs)

set(package_dir "${CMAKE_INSTALL_LIBDIR}/cmake/Duel")
foreach(room kernels core nn gan)
  set_target_properties(duel_${room} PROPERTIES EXPORT_NAME ${room})
  install(DIRECTORY "${PROJECT_SOURCE_DIR}/${room}/" DESTINATION "${CMAKE_INSTALL_INCLUDEDIR}/duel/${room}"
    FILES_MATCHING PATTERN "*.h" PATTERN "*.cuh" PATTERN "json.h" EXCLUDE)
endforeach()
install(TARGETS duel duel_kernels duel_core duel_nn duel_gan EXPORT DuelTargets ARCHIVE DESTINATION "${CMAKE_INSTALL_LIBDIR}")
install(EXPORT DuelTargets NAMESPACE Duel:: DESTINATION "${package_dir}")

configure_package_config_file("${PROJECT_SOURCE_DIR}/cmake/DuelConfig.cmake.in" "${PROJECT_BINARY_DIR}/DuelConfig.cmake"
  INSTALL_DESTINATION "${package_dir}")
write_basic_package_version_file("${PROJECT_BINARY_DIR}/DuelConfigVersion.cmake" COMPATIBILITY SameMinorVersion)
install(FILES "${PROJECT_BINARY_DIR}/DuelConfig.cmake" "${PROJECT_BINARY_DIR}/DuelConfigVersion.cmake"
  "${PROJECT_SOURCE_DIR}/cmake/FindOneDNN.cmake" DESTINATION "${package_dir}")
