#pragma once

#include <string>

#include "base/bytes.h"
#include "base/result.h"
#include "secret/secret_bytes.h"

namespace cloister {

/// An open file, closed with the object; a negative number is none.
class DeviceDescriptor {
 public:
  explicit DeviceDescriptor(int number) noexcept : number_(number) {}
  DeviceDescriptor(const DeviceDescriptor&) = delete;
  DeviceDescriptor& operator=(const DeviceDescriptor&) = delete;
  ~DeviceDescriptor();
  int number() const noexcept { return number_; }

 private:
  const int number_;
};

/// A file that the kernel or a library OS makes up: its size is unknown until it was read, and
/// one write must take all bytes at once.
/// All of it, at most `bytes_max`. Fails: `not_found`, `io`, `too_large`.
Result<ByteVector> read_device_file(const std::string& path, std::size_t bytes_max);
/// The same for a secret of exactly `size` bytes. Fails: `corrupt` for another size.
Result<SecretBytes> read_device_secret(const std::string& path, std::size_t size);
/// Fails: `not_found`, `io` (a write that took fewer bytes included).
Status write_device_file(const std::string& path, Bytes content);

/// A folder that exists for the life of the object; made anew where a crash left it behind.
class DeviceFolder {
 public:
  /// Fails: `io`, `not_found` when its parent is missing.
  static Result<DeviceFolder> make(const std::string& path);
  DeviceFolder(DeviceFolder&& other) noexcept : path_(std::exchange(other.path_, {})) {}
  DeviceFolder& operator=(DeviceFolder&&) = delete;
  ~DeviceFolder();
  std::string file(const char* name) const { return path_ + "/" + name; }

 private:
  explicit DeviceFolder(std::string path) : path_(std::move(path)) {}
  std::string path_;
};

}  // namespace cloister
