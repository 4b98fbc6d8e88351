# Writes the C++ file SOURCE, which defines kWorkerSha256: the SHA-256 of PROGRAM.
file(SHA256 ${PROGRAM} digest)
file(WRITE ${SOURCE}
     "#include \"start_checks.h\"\n\n"
     "namespace cloister {\n\n"
     "const char* const kWorkerSha256 = \"${digest}\";\n\n"
     "}  // namespace cloister\n")
