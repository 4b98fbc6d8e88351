# Writes the SHA-256 of PROGRAM into the C++ header HEADER.
file(SHA256 ${PROGRAM} digest)
file(WRITE ${HEADER} "#define CLOISTER_WORKER_SHA256 \"${digest}\"\n")
