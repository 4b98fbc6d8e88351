// Writes the hostile and the legal models of this folder as files, for tests that talk to a server
// and as seeds of fuzz targets.
//   write_models FOLDER [BYTES]   leaves out cut-off files, and those larger than BYTES

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "hostile_models/hostile_models.h"

namespace {

void write(const std::filesystem::path& path, const cloister::ByteVector& bytes) {
  std::ofstream file(path, std::ios::binary);
  file.write(reinterpret_cast<const char*>(bytes.data()),
             static_cast<std::streamsize>(bytes.size()));
}

}  // namespace

int main(int count, char** arguments) {
  if (count < 2) return 2;
  const std::filesystem::path folder(arguments[1]);
  const std::size_t largest = count > 2 ? std::strtoul(arguments[2], nullptr, 10) : SIZE_MAX;
  std::filesystem::create_directories(folder);
  const auto write_all = [&](const std::vector<cloister::HostileModel>& models,
                             const std::string& kind) {
    for (const cloister::HostileModel& model : models) {
      if (model.bytes.size() > largest || model.name.starts_with("cut-")) continue;
      write(folder / (kind + "-" + model.name + ".onnx"), model.bytes);
      std::printf("%s-%s %s\n", kind.c_str(), model.name.c_str(), model.rule.c_str());
    }
  };
  write_all(cloister::hostile_models(), "hostile");
  write_all(cloister::legal_models(), "legal");
  return 0;
}
