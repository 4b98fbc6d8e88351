#include "sandbox/linux/socket.h"

#include <poll.h>
#include <sys/socket.h>

#include <array>
#include <cstring>

namespace cloister {
namespace {

/// Room for the descriptors of one message, aligned as the kernel writes it.
struct ControlRoom {
  alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int) * kDescriptorsMax)> bytes{};
};

}  // namespace

Result<std::pair<Descriptor, Descriptor>> make_socket_pair() {
  std::array<int, 2> ends{};
  if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends.data()) != 0) {
    return Error{Code::io, "sandbox.socket"};
  }
  return std::pair(Descriptor(ends[0]), Descriptor(ends[1]));
}

Status send_message(int socket, Bytes message, const std::vector<int>& descriptors) {
  if (descriptors.size() > kDescriptorsMax) return Error{Code::too_large, "sandbox.descriptors"};
  // sendmsg takes a writable pointer and only reads through it.
  ByteVector copy = copy_of(message);
  iovec piece{copy.data(), copy.size()};
  ControlRoom room;
  msghdr header{};
  header.msg_iov = &piece;
  header.msg_iovlen = 1;
  if (!descriptors.empty()) {
    const std::size_t bytes = descriptors.size() * sizeof(int);
    header.msg_control = room.bytes.data();
    header.msg_controllen = CMSG_SPACE(bytes);
    cmsghdr* const first = CMSG_FIRSTHDR(&header);
    first->cmsg_level = SOL_SOCKET;
    first->cmsg_type = SCM_RIGHTS;
    first->cmsg_len = CMSG_LEN(bytes);
    std::memcpy(CMSG_DATA(first), descriptors.data(), bytes);
  }
  const ssize_t sent = ::sendmsg(socket, &header, MSG_NOSIGNAL);
  if (sent != static_cast<ssize_t>(message.size())) return Error{Code::io, "sandbox.send"};
  return Done{};
}

Result<std::vector<Descriptor>> receive_message(int socket, MutableBytes message,
                                                std::chrono::milliseconds at_most) {
  pollfd wait{socket, POLLIN, 0};
  if (::poll(&wait, 1, static_cast<int>(at_most.count())) <= 0) {
    return Error{Code::deadline, "sandbox.receive"};
  }
  iovec piece{message.data(), message.size()};
  ControlRoom room;
  msghdr header{};
  header.msg_iov = &piece;
  header.msg_iovlen = 1;
  header.msg_control = room.bytes.data();
  header.msg_controllen = room.bytes.size();
  const ssize_t got = ::recvmsg(socket, &header, MSG_CMSG_CLOEXEC);
  std::vector<Descriptor> descriptors;
  if (got > 0) {
    for (cmsghdr* each = CMSG_FIRSTHDR(&header); each != nullptr;
         each = CMSG_NXTHDR(&header, each)) {
      if (each->cmsg_level != SOL_SOCKET || each->cmsg_type != SCM_RIGHTS) continue;
      std::array<int, kDescriptorsMax> numbers{};
      const std::size_t bytes = each->cmsg_len - CMSG_LEN(0);
      std::memcpy(numbers.data(), CMSG_DATA(each), bytes);
      for (std::size_t i = 0; i < bytes / sizeof(int); ++i) descriptors.emplace_back(numbers[i]);
    }
  }
  if (got <= 0) return Error{Code::io, "sandbox.receive"};
  if (static_cast<std::size_t>(got) != message.size() ||
      (header.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) != 0) {
    return Error{Code::corrupt, "sandbox.receive"};
  }
  return descriptors;
}

}  // namespace cloister
