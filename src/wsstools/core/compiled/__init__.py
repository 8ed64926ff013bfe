"""What is compiled: by numba, with pieces of LLVM code."""
