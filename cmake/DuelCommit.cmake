# duel_commit(TARGET): source_commit() of gan/record/machine.h, the commit that this build was configured from, in a source of its own. A new
# commit configures again, and that source alone is compiled anew. "unknown" outside a clone of this repository (an archive, also one within
# another clone). What is not committed does not show in it.
function(duel_commit target)
  set(commit unknown)
  find_package(Git QUIET)
  if(GIT_EXECUTABLE)
    # Line 1 is this folder's place in the clone: empty at its top.
    execute_process(COMMAND "${GIT_EXECUTABLE}" rev-parse --show-prefix HEAD --git-path logs/HEAD
      WORKING_DIRECTORY "${PROJECT_SOURCE_DIR}" OUTPUT_VARIABLE said RESULT_VARIABLE status ERROR_QUIET)
    if(status EQUAL 0 AND said MATCHES "^\n([0-9a-f]+)\n(.+)\n$")
      set(commit "${CMAKE_MATCH_1}")
      cmake_path(ABSOLUTE_PATH CMAKE_MATCH_2 BASE_DIRECTORY "${PROJECT_SOURCE_DIR}" OUTPUT_VARIABLE log)
      if(EXISTS "${log}")  # what every commit, checkout and pull adds a line to
        set_property(DIRECTORY "${PROJECT_SOURCE_DIR}" APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS "${log}")
      endif()
    endif()
  endif()
  set(source "${PROJECT_BINARY_DIR}/source_commit.cpp")
  file(CONFIGURE OUTPUT "${source}" @ONLY CONTENT
    "// Made by cmake/DuelCommit.cmake.\n#include \"duel/gan/record/machine.h\"\n\nconst char* duel::gan::source_commit() { return \"@commit@\"; }\n")
  target_sources(${target} PRIVATE "${source}")
endfunction()
