#include "local_files.h"

#include <array>
#include <filesystem>
#include <system_error>

#include "base/posix/posix_files.h"
#include "encoding/hex.h"

namespace cloister {
namespace {

Error about(const std::string& path, Code code, const char* why) {
  return Error{code, "cli.file", Detail(path + ": " + why)};
}

struct LocalPlace {
  std::unique_ptr<Files> folder;
  std::string name;
};

/// The folder of `path`, opened, and the name in it.
Result<LocalPlace> place_of(const std::filesystem::path& path) {
  const std::filesystem::path folder = path.parent_path();
  auto files = open_posix_files(folder.empty() ? "." : folder.string(), IfAbsent::fail);
  if (!files.ok()) return about(path.string(), Code::not_found, "its folder cannot be opened");
  return LocalPlace{std::move(files).value(), path.filename().string()};
}

}  // namespace

Result<std::unique_ptr<File>> open_local_file(const std::string& path) {
  std::error_code error;
  const std::filesystem::path real = std::filesystem::canonical(path, error);
  if (error) return about(path, Code::not_found, "no such file");
  if (!std::filesystem::is_regular_file(real, error)) {
    return about(path, Code::invalid, "is no regular file");
  }
  CLOISTER_ASSIGN(const LocalPlace place, place_of(real));
  auto file = place.folder->open_for_reading(place.name);
  if (!file.ok()) return about(path, Code::io, "cannot be read");
  return file;
}

Result<std::unique_ptr<Files>> open_folder_of(const std::string& path) {
  std::error_code error;
  const std::filesystem::path absolute = std::filesystem::absolute(path, error);
  const std::filesystem::path real = std::filesystem::canonical(absolute.parent_path(), error);
  if (error) return about(path, Code::not_found, "its folder cannot be opened");
  auto files = open_posix_files(real.string(), IfAbsent::fail);
  if (!files.ok()) return about(path, Code::not_found, "its folder cannot be opened");
  return files;
}

Result<ByteVector> read_local_file(const std::string& path, std::uint64_t bytes_max) {
  CLOISTER_ASSIGN(const std::unique_ptr<File> file, open_local_file(path));
  CLOISTER_ASSIGN(const std::uint64_t size, file->size());
  if (size > bytes_max) return about(path, Code::too_large, "is too large");
  ByteVector content(size);
  if (!file->read_at(0, content).ok()) return about(path, Code::io, "cannot be read");
  return content;
}

Status write_local_file(const std::string& path, Bytes content, Entropy& entropy) {
  CLOISTER_ASSIGN(const LocalPlace place, place_of(path));
  std::array<std::byte, 8> random;
  CLOISTER_TRY(entropy.fill(random));
  const std::string aside = ".cloister-" + hex_encode(random) + ".part";
  auto file = place.folder->create(aside);
  if (!file.ok()) return about(path, Code::io, "cannot be written");
  const bool written = file.value()->write_at(0, content).ok() &&
                       place.folder->rename(aside, place.name).ok();
  if (written) return Done{};
  // What stays behind then has a name of its own and harms nobody.
  const Status removed = place.folder->remove(aside);
  return about(path, Code::io,
               removed.ok() ? "cannot be written" : "cannot be written; a .part file is left");
}

}  // namespace cloister
