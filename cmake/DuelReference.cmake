# The API reference of the public headers, build/reference/index.html: cmake --build build --target reference.
# Any warning of Doxygen is an error.
find_program(DUEL_DOXYGEN doxygen)
mark_as_advanced(DUEL_DOXYGEN)
if(DUEL_DOXYGEN)
  set(DUEL_REFERENCE_DIR "${PROJECT_BINARY_DIR}/reference")
  configure_file("${PROJECT_SOURCE_DIR}/cmake/Doxyfile.in" "${PROJECT_BINARY_DIR}/Doxyfile" @ONLY)
  file(MAKE_DIRECTORY "${DUEL_REFERENCE_DIR}")
  add_custom_target(reference COMMAND "${DUEL_DOXYGEN}" "${PROJECT_BINARY_DIR}/Doxyfile"
    COMMENT "API reference in ${DUEL_REFERENCE_DIR}/index.html" VERBATIM)
endif()
