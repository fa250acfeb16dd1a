# cmake -DROOT=… [-DCUDNN_ROOT=…] -P: one search in a fake world; prints what was found for find_cudnn.sh.
cmake_minimum_required(VERSION 3.25)
list(APPEND CMAKE_MODULE_PATH "${ROOT}/cmake")
set(CMAKE_FIND_LIBRARY_PREFIXES lib)
set(CMAKE_FIND_LIBRARY_SUFFIXES .so)
set(CMAKE_SYSTEM_NAME Linux)
# No targets in script mode.
function(add_library)
endfunction()
function(set_target_properties)
endfunction()
find_package(CUDNN)
message("layout=${CUDNN_LAYOUT} version=${CUDNN_VERSION} include=${CUDNN_INCLUDE_DIR} library=${CUDNN_LIBRARY}")
