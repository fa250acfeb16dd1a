# A header as Doxygen is to read it: its opening text as a comment of the file, indented lines there as code, backslashes in comments as such.
BEGIN { opening = 1; print "/// @file" }
opening && !/^\/\// { opening = 0 }
opening {
  sub(/^\/\//, "///")
  code = /^\/\/\/  +/
  if (code && !before) print "///"
  if (code) sub(/^\/\/\/ /, "///     ")
  before = code
}
/^ *\/\/\// { gsub(/\\/, "&&") }
{ print }
