# Decides about oneDNN from DUEL_ONEDNN=AUTO|ON|OFF; sets DUEL_HAS_ONEDNN and DUEL_ONEDNN_LIBRARIES (what kernels/ links).
# It is measured beside the own kernels and checks them in tests; nothing needs it.
#   ON    oneDNN 2 is required
#   AUTO  on where oneDNN 2 is found, and OpenMP, on which its threads run; otherwise says in one line why it is off
set(DUEL_HAS_ONEDNN OFF)
set(DUEL_ONEDNN_LIBRARIES "")
if(NOT DUEL_ONEDNN MATCHES "^(AUTO|ON|OFF)$")
  message(FATAL_ERROR "DUEL_ONEDNN: expected AUTO, ON or OFF, got '${DUEL_ONEDNN}'")
endif()

if(NOT DUEL_ONEDNN STREQUAL "OFF")
  set(how QUIET)
  if(DUEL_ONEDNN STREQUAL "ON")
    set(how REQUIRED)
  endif()
  find_package(OneDNN 2...<3 ${how})
  if(OneDNN_FOUND)
    find_package(OpenMP ${how} COMPONENTS CXX)
  endif()
  if(OneDNN_FOUND AND OpenMP_CXX_FOUND)
    set(DUEL_HAS_ONEDNN ON)
    message(STATUS "Duel: oneDNN is built in, and programs that link Duel will need it: DUEL_ONEDNN=OFF leaves it out")
    set(DUEL_ONEDNN_LIBRARIES OneDNN::OneDNN "$<LINK_ONLY:OpenMP::OpenMP_CXX>")
  elseif(OneDNN_FOUND)
    message(STATUS "Duel: oneDNN is off: the compiler has no OpenMP")
  else()
    message(STATUS "Duel: oneDNN is off: version 2 is not here (Debian: apt-get install libdnnl-dev)")
  endif()
endif()
set_source_files_properties("${PROJECT_SOURCE_DIR}/kernels/linear/vendor/onednn.cpp" PROPERTIES
  COMPILE_DEFINITIONS "DUEL_HAS_ONEDNN=$<BOOL:${DUEL_HAS_ONEDNN}>")
