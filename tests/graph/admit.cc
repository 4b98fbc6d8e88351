// Admits one model and prints what came of it: a test program that scripts drive.
//   graph_admit MODEL [FOLDER]   with FOLDER, also writes the canonical graph and its weights there

#include <chrono>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <string>
#include <variant>

#include "graph/admission.h"
#include "graph/describe.h"

namespace cloister {
namespace {

ByteVector read_file(const std::filesystem::path& path) {
  ByteVector bytes(std::filesystem::file_size(path));
  std::ifstream file(path, std::ios::binary);
  file.read(reinterpret_cast<char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
  return bytes;
}

void write_bytes(std::ofstream& file, Bytes bytes) {
  file.write(reinterpret_cast<const char*>(bytes.data()),
             static_cast<std::streamsize>(bytes.size()));
}

/// Lays the model out as the runtime reads it from files: the weights segment under the location
/// that the graph names.
void write_model(const ValidatedModel& model, const std::filesystem::path& folder) {
  std::filesystem::create_directories(folder);
  std::ofstream graph(folder / "model.onnx", std::ios::binary);
  write_bytes(graph, model.bundle().graph);
  std::ofstream weights(folder / kWeightsLocation, std::ios::binary);
  for (const WeightPiece& piece : model.weights()) {
    weights.seekp(static_cast<std::streamoff>(piece.offset));
    write_bytes(weights, piece.source);
  }
}

/// A line of /proc/self/status, "VmHWM" and so on, in KiB.
long status_kib(const std::string& name) {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);) {
    if (line.starts_with(name + ":")) return std::stol(line.substr(name.size() + 1));
  }
  return -1;
}

int run(int count, char** arguments) {
  if (count < 2) return 2;
  const ByteVector upload = read_file(arguments[1]);
  const long before = status_kib("VmHWM");
  const auto start = std::chrono::steady_clock::now();
  const AdmissionVerdict verdict = GraphAdmission(AdmissionBudget{}).admit(upload);
  const std::chrono::duration<double, std::milli> took = std::chrono::steady_clock::now() - start;
  const long after = status_kib("VmHWM");
  std::fputs(admission_json(verdict).c_str(), stdout);
  std::printf("\n{\"milliseconds\": %.3f, \"peak_extra_kib\": %ld}\n", took.count(),
              after - before);
  const auto* model = std::get_if<ValidatedModel>(&verdict);
  if (model != nullptr && count > 2) write_model(*model, arguments[2]);
  return model != nullptr ? 0 : 1;
}

}  // namespace
}  // namespace cloister

int main(int count, char** arguments) { return cloister::run(count, arguments); }
