# Writes the C++ file SOURCE, which defines kOpenApiText: the bytes of FILE.
file(READ ${FILE} text)
file(WRITE ${SOURCE}
     "#include \"api/openapi.h\"\n\n"
     "namespace cloister {\n\n"
     "const char* const kOpenApiText = R\"openapi(${text})openapi\";\n\n"
     "}  // namespace cloister\n")
