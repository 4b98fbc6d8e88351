#include "engine/ort/ort_library.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>

#include "base/posix/posix_clock.h"
#include "engine/ort/ort_engine.h"

namespace cloister {
namespace {

Code open_code(const std::string& library) {
  const PosixClock clock;
  auto engine = make_ort_engine({.library = library}, clock);
  return engine.ok() ? Code::internal : engine.error().code;
}

TEST(RuntimeLibrary, IsRefusedWhereItHoldsATelemetryUploader) {
  std::string content(100'000, 'x');
  EXPECT_TRUE(check_runtime_library(bytes_of(content)).ok());
  content.replace(54'321, 32, "https://eu.events.data.microsoft.com");
  auto verdict = check_runtime_library(bytes_of(content));
  ASSERT_FALSE(verdict.ok());
  EXPECT_EQ(verdict.error().code, Code::unverified);
}

TEST(RuntimeLibrary, IsRefusedBeforeItRunsWhereItHoldsATelemetryUploader) {
  std::string folder = (std::filesystem::temp_directory_path() / "cloister-XXXXXX").string();
  ASSERT_NE(::mkdtemp(folder.data()), nullptr);
  const std::filesystem::path path = std::filesystem::path(folder) / "library.so";
  std::filesystem::copy_file(CLOISTER_OTHER_RUNTIME, path);
  std::ofstream(path, std::ios::app | std::ios::binary) << "mobile.events.data.microsoft.com";
  EXPECT_EQ(open_code(path.string()), Code::unverified);
  std::filesystem::remove_all(folder);
}

TEST(RuntimeLibrary, IsRefusedWhereItIsNotThereOrNoLibrary) {
  EXPECT_EQ(open_code("/nonexistent/libonnxruntime.so"), Code::io);
  EXPECT_EQ(open_code("/proc/self/cmdline"), Code::io);
  EXPECT_EQ(open_code("/"), Code::io);
}

TEST(RuntimeLibrary, IsRefusedInAnotherVersion) {
  EXPECT_EQ(open_code(CLOISTER_OTHER_RUNTIME), Code::unverified);
}

TEST(RuntimeLibrary, InUseHoldsNoTelemetryUploader) {
  std::ifstream file(CLOISTER_ORT_LIBRARY, std::ios::binary);
  const std::string content((std::istreambuf_iterator<char>(file)), {});
  ASSERT_GT(content.size(), std::size_t{1} << 20);
  EXPECT_TRUE(check_runtime_library(bytes_of(content)).ok());
}

}  // namespace
}  // namespace cloister
