#include "evidence/device/ioctl.h"

#include <fcntl.h>
#include <sys/ioctl.h>

#include "evidence/device/device_file.h"

namespace cloister {

IoctlRequest kernel_ioctl() {
  return [](int file, unsigned long number, void* argument) {
    return ::ioctl(file, number, argument);
  };
}

Status ask_device(const std::string& device, const IoctlRequest& request, unsigned long number,
                  void* argument) {
  const DeviceDescriptor file(::open(device.c_str(), O_RDWR | O_CLOEXEC));
  if (file.number() < 0) return Error{Code::not_found, "device.open"};
  if (request(file.number(), number, argument) != 0) return Error{Code::io, "device.ioctl"};
  return Done{};
}

}  // namespace cloister
