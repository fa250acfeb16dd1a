# cmake -DCOMMAND=build/duel -DFOLDER=build/share -P DuelPages.cmake: the manual page and the shells' completion, as the command
# prints them. Where it cannot run (compiled for another CPU, say) there are none, and that is said.
file(REMOVE_RECURSE "${FOLDER}")
foreach(row "man:man/duel.1" "completion bash:bash/duel" "completion zsh:zsh/_duel" "completion fish:fish/duel.fish")
  string(REGEX MATCH "^([^:]*):(.*)$" row "${row}")
  set(file "${FOLDER}/${CMAKE_MATCH_2}")
  string(REPLACE " " ";" arguments "${CMAKE_MATCH_1}")
  execute_process(COMMAND "${CMAKE_COMMAND}" -E env COLUMNS=80 "${COMMAND}" ${arguments} OUTPUT_VARIABLE text RESULT_VARIABLE status)
  if(NOT status EQUAL 0)
    message(WARNING "${COMMAND} ${arguments}: ${status}: no manual page and no completion will be installed")
    return()
  endif()
  file(WRITE "${file}" "${text}")
endforeach()
