#pragma once

#include <chrono>
#include <utility>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"
#include "sandbox/linux/descriptor.h"

namespace cloister {

inline constexpr std::size_t kDescriptorsMax = 32;  ///< in one message

/// Two ends of a local connection that keeps messages apart. Fails: `io`.
Result<std::pair<Descriptor, Descriptor>> make_socket_pair();

/// Sends `message` whole with copies of `descriptors`. Fails: `io`.
Status send_message(int socket, Bytes message, const std::vector<int>& descriptors = {});

/// Receives one message of exactly `message.size()` bytes and whatever descriptors it brings.
/// Fails: `deadline`; `io` (the other end is gone); `corrupt` (another size, too many descriptors).
Result<std::vector<Descriptor>> receive_message(int socket, MutableBytes message,
                                                std::chrono::milliseconds at_most);

}  // namespace cloister
