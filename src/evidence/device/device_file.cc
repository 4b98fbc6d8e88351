#include "evidence/device/device_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

namespace cloister {
namespace {

constexpr std::size_t kChunkBytes = 4096;

Error failed() {
  // The kernel's report interface without a driver behind it is no device.
  const bool absent = errno == ENOENT || errno == ENOTDIR || errno == ENXIO;
  return Error{absent ? Code::not_found : Code::io, "device.file"};
}

}  // namespace

DeviceDescriptor::~DeviceDescriptor() {
  if (number_ >= 0) ::close(number_);
}

Result<ByteVector> read_device_file(const std::string& path, std::size_t bytes_max) {
  const DeviceDescriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
  if (file.number() < 0) return failed();
  ByteVector content;
  while (true) {
    const std::size_t size = content.size();
    content.resize(size + kChunkBytes);
    const ssize_t count = ::read(file.number(), content.data() + size, kChunkBytes);
    if (count < 0 && errno == EINTR) {
      content.resize(size);
      continue;
    }
    if (count < 0) return failed();
    content.resize(size + static_cast<std::size_t>(count));
    if (content.size() > bytes_max) return Error{Code::too_large, "device.file_size"};
    if (count == 0) return content;
  }
}

Result<SecretBytes> read_device_secret(const std::string& path, std::size_t size) {
  CLOISTER_ASSIGN(ByteVector content, read_device_file(path, kChunkBytes));
  const bool fits = content.size() == size;
  SecretBytes secret(std::move(content));  // wiped here too when it does not fit
  if (!fits) return Error{Code::corrupt, "device.secret"};
  return secret;
}

Status write_device_file(const std::string& path, Bytes content) {
  const DeviceDescriptor file(::open(path.c_str(), O_WRONLY | O_CLOEXEC | O_NOFOLLOW));
  if (file.number() < 0) return failed();
  const ssize_t count = ::write(file.number(), content.data(), content.size());
  if (count < 0) return failed();
  if (static_cast<std::size_t>(count) != content.size()) {
    return Error{Code::io, "device.short_write"};
  }
  return Done{};
}

Result<DeviceFolder> DeviceFolder::make(const std::string& path) {
  if (::mkdir(path.c_str(), 0700) != 0 && errno != EEXIST) return failed();
  return DeviceFolder(path);
}

DeviceFolder::~DeviceFolder() {
  if (!path_.empty()) ::rmdir(path_.c_str());
}

}  // namespace cloister
