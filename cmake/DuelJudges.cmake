# The judges whose weights lie in gan/judge/weights/ become part of the library: a file put there is a judge of its name, and a
# changed one is built in anew. gan/judge/internal/embedded_judges.cpp does it, from the rows that are written here.
file(GLOB judges CONFIGURE_DEPENDS "${PROJECT_SOURCE_DIR}/gan/judge/weights/*.safetensors")
list(SORT judges)
set(rows "")
set(number 0)
foreach(file ${judges})
  get_filename_component(name "${file}" NAME_WLE)
  string(APPEND rows "JUDGE(${number}, \"${name}\", \"${file}\")\n")
  math(EXPR number "${number} + 1")
endforeach()
file(CONFIGURE OUTPUT "${PROJECT_BINARY_DIR}/judges/duel_judges.inc" CONTENT "${rows}" @ONLY)
set_source_files_properties("${PROJECT_SOURCE_DIR}/gan/judge/internal/embedded_judges.cpp" PROPERTIES
  INCLUDE_DIRECTORIES "${PROJECT_BINARY_DIR}/judges" OBJECT_DEPENDS "${judges}")
