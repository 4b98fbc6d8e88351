#pragma once

#include <functional>
#include <string>

#include "base/result.h"

namespace cloister {

/// An ioctl: takes descriptor, number and argument, returns 0 when it is done.
using IoctlRequest = std::function<int(int, unsigned long, void*)>;

/// The kernel's own.
IoctlRequest kernel_ioctl();

/// Opens `device`, asks once and closes it. Fails: `not_found` without the device, `io` when the
/// request does not return 0.
Status ask_device(const std::string& device, const IoctlRequest& request, unsigned long number,
                  void* argument);

}  // namespace cloister
