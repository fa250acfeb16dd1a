# How a kernel family (.cu) is compiled: by nvcc where Duel has CUDA, else by the C++ compiler, which sees its host loops.
# For Duel's own and, installed, for those of a user: kernels/README.md, "A kernel of your own".

# -ffp-contract=off: the same formula gives the same bits on every device; where a fused multiply-add is wanted it is written.
# -fopenmp-simd: the simd pragma only, no OpenMP threads.
set(DUEL_FORMULA_FLAGS -ffp-contract=off -fopenmp-simd -fno-math-errno)
# -fno-trapping-math: g++ computes both sides of a select, and without AVX-512's masks that is how its loop vectorises;
# the bits are the same. clang computes both sides anyway.
set(DUEL_LOOP_FLAGS -fno-trapping-math)

# duel_host_families(FILES…): .cu files as the C++ compiler's sources; more options of theirs behind OPTIONS.
function(duel_host_families)
  cmake_parse_arguments(ARG "" "" "OPTIONS" ${ARGN})
  set_source_files_properties(${ARG_UNPARSED_ARGUMENTS} PROPERTIES LANGUAGE CXX COMPILE_OPTIONS "-x;c++;${ARG_OPTIONS}")
endfunction()

# duel_kernel_sources(TARGET FILES…): adds families to a target that links Duel. Where Duel has CUDA (Duel_CUDA), the project
# enables the language CUDA before; flags of its own, -march among them, are its business.
function(duel_kernel_sources target)
  target_sources(${target} PRIVATE ${ARGN})
  if(Duel_CUDA)
    get_property(languages GLOBAL PROPERTY ENABLED_LANGUAGES)
    if(NOT CUDA IN_LIST languages)
      message(FATAL_ERROR "duel_kernel_sources(${target}): this Duel has CUDA, so its kernels' users compile theirs by nvcc: "
        "call enable_language(CUDA) after find_package(Duel)")
    endif()
    list(JOIN DUEL_FORMULA_FLAGS "," host)
    list(JOIN DUEL_LOOP_FLAGS "," loops)
    set_source_files_properties(${ARGN} PROPERTIES COMPILE_OPTIONS
      "-std=c++20;--extended-lambda;--fmad=false;-Xcompiler=-Wno-unknown-pragmas,${host},${loops}")
  else()
    duel_host_families(${ARGN} OPTIONS -Wno-unknown-pragmas ${DUEL_FORMULA_FLAGS} ${DUEL_LOOP_FLAGS})
  endif()
endfunction()
