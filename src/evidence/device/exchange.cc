#include <arpa/inet.h>
#include <linux/vm_sockets.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/time.h>

#include <algorithm>
#include <cstring>

#include "evidence/device/device_file.h"
#include "evidence/device/quote_service.h"
#include "evidence/platform.h"

namespace cloister {
namespace {

constexpr timeval kPatience{10, 0};
constexpr std::size_t kPieceBytes = 4096;

Error failed() { return Error{Code::io, "quote.exchange"}; }

Status send_all(int socket, Bytes request) {
  while (!request.empty()) {
    const ssize_t sent = ::send(socket, request.data(), request.size(), MSG_NOSIGNAL);
    if (sent <= 0) return failed();
    request = request.subspan(static_cast<std::size_t>(sent));
  }
  return Done{};
}

Result<ByteVector> exchange_over(int socket, const sockaddr* address, socklen_t address_size,
                                 Bytes request, const std::function<bool(Bytes)>& is_whole) {
  const DeviceDescriptor owned(socket);
  if (socket < 0 ||
      ::setsockopt(socket, SOL_SOCKET, SO_RCVTIMEO, &kPatience, sizeof(kPatience)) != 0 ||
      ::setsockopt(socket, SOL_SOCKET, SO_SNDTIMEO, &kPatience, sizeof(kPatience)) != 0 ||
      ::connect(socket, address, address_size) != 0) {
    return failed();
  }
  CLOISTER_TRY(send_all(socket, request));
  ByteVector answer;
  while (!is_whole(answer)) {
    const std::size_t size = answer.size();
    answer.resize(size + kPieceBytes);
    const ssize_t count = ::recv(socket, answer.data() + size, kPieceBytes, 0);
    if (count < 0) return failed();
    answer.resize(size + static_cast<std::size_t>(count));
    if (count == 0) break;
    if (answer.size() > kEvidenceBytesMax) return Error{Code::too_large, "quote.exchange"};
  }
  return answer;
}

}  // namespace

Exchange vsock_exchange(std::uint32_t port) {
  return [port](Bytes request, const std::function<bool(Bytes)>& is_whole) {
    sockaddr_vm address{};
    address.svm_family = AF_VSOCK;
    address.svm_cid = VMADDR_CID_HOST;
    address.svm_port = port;
    return exchange_over(::socket(AF_VSOCK, SOCK_STREAM | SOCK_CLOEXEC, 0),
                         reinterpret_cast<const sockaddr*>(&address), sizeof(address), request,
                         is_whole);
  };
}

Exchange tcp_exchange(const std::string& address, std::uint16_t port) {
  return [address, port](Bytes request,
                         const std::function<bool(Bytes)>& is_whole) -> Result<ByteVector> {
    sockaddr_in to{};
    to.sin_family = AF_INET;
    to.sin_port = htons(port);
    if (::inet_pton(AF_INET, address.c_str(), &to.sin_addr) != 1) return failed();
    return exchange_over(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0),
                         reinterpret_cast<const sockaddr*>(&to), sizeof(to), request, is_whole);
  };
}

}  // namespace cloister
