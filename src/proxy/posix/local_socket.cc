#include "proxy/local_socket.h"

#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstring>
#include <utility>

namespace cloister {
namespace {

constexpr int kBacklog = 256;
constexpr time_t kWriteStallSeconds = 60;
constexpr int kAcceptPauseMilliseconds = 100;

class Descriptor {
 public:
  explicit Descriptor(int number) noexcept : number_(number) {}
  Descriptor(Descriptor&& other) noexcept : number_(std::exchange(other.number_, -1)) {}
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  ~Descriptor() {
    if (number_ >= 0) close(number_);
  }
  int get() const noexcept { return number_; }

 private:
  int number_;
};

class SocketStream final : public LocalStream {
 public:
  explicit SocketStream(Descriptor socket) : socket_(std::move(socket)) {}

  Result<std::size_t> read(MutableBytes room, std::chrono::milliseconds wait_max) override {
    pollfd wait{socket_.get(), POLLIN, 0};
    const auto time = std::clamp<std::int64_t>(wait_max.count(), 0, 1 << 30);
    int ready = 0;
    do {
      ready = poll(&wait, 1, static_cast<int>(time));
    } while (ready < 0 && errno == EINTR);
    if (ready == 0) return Error{Code::deadline, "proxy.read"};
    const ssize_t count = recv(socket_.get(), room.data(), room.size(), 0);
    if (count < 0) return Error{Code::unavailable, "proxy.read"};
    return static_cast<std::size_t>(count);
  }

  Status write(Bytes bytes) override {
    while (!bytes.empty()) {
      const ssize_t count = send(socket_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (count < 0 && errno == EINTR) continue;
      if (count <= 0) return Error{Code::unavailable, "proxy.write"};
      bytes = bytes.subspan(static_cast<std::size_t>(count));
    }
    return Done{};
  }

  void finish_writing() noexcept override { shutdown(socket_.get(), SHUT_WR); }
  void cancel() noexcept override { shutdown(socket_.get(), SHUT_RDWR); }

 private:
  Descriptor socket_;
};

class SocketListener final : public LocalListener {
 public:
  SocketListener(Descriptor socket, std::uint16_t port, std::string path)
      : socket_(std::move(socket)), port_(port), path_(std::move(path)) {}
  SocketListener(const SocketListener&) = delete;
  SocketListener& operator=(const SocketListener&) = delete;
  ~SocketListener() override {
    if (!path_.empty()) unlink(path_.c_str());
  }

  Result<std::unique_ptr<LocalStream>> accept() override {
    while (!cancelled_) {
      Descriptor client(accept4(socket_.get(), nullptr, nullptr, SOCK_CLOEXEC));
      if (client.get() < 0) {
        // Out of descriptors or memory: asking again at once would only burn the CPU.
        if (!cancelled_ && errno != EINTR && errno != ECONNABORTED) {
          poll(nullptr, 0, kAcceptPauseMilliseconds);
        }
        continue;
      }
      const int on = 1;
      if (path_.empty()) setsockopt(client.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
      const timeval stall{kWriteStallSeconds, 0};
      setsockopt(client.get(), SOL_SOCKET, SO_SNDTIMEO, &stall, sizeof stall);
      return std::unique_ptr<LocalStream>(std::make_unique<SocketStream>(std::move(client)));
    }
    return Error{Code::unavailable, "proxy.accept"};
  }

  void cancel() noexcept override {
    cancelled_ = true;
    shutdown(socket_.get(), SHUT_RDWR);
  }

  std::uint16_t port() const noexcept override { return port_; }

 private:
  Descriptor socket_;
  const std::uint16_t port_;
  const std::string path_;
  std::atomic<bool> cancelled_ = false;
};

Error cannot(const char* why) { return Error{Code::io, "proxy.listen", Detail(why)}; }

Result<std::unique_ptr<LocalListener>> listen_on_address(const LocalAddress& address) {
  addrinfo hints{};
  hints.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV;
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  const std::string port = std::to_string(address.port);
  if (getaddrinfo(address.host.c_str(), port.c_str(), &hints, &found) != 0) {
    return cannot("this is no address to listen on");
  }
  Descriptor socket(::socket(found->ai_family, SOCK_STREAM | SOCK_CLOEXEC, IPPROTO_TCP));
  const int on = 1;
  setsockopt(socket.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  const bool bound = bind(socket.get(), found->ai_addr, found->ai_addrlen) == 0;
  freeaddrinfo(found);
  if (!bound) return cannot("the address cannot be listened on: is its port in use?");
  sockaddr_storage own{};
  socklen_t size = sizeof own;
  if (listen(socket.get(), kBacklog) != 0 ||
      getsockname(socket.get(), reinterpret_cast<sockaddr*>(&own), &size) != 0) {
    return cannot("the address cannot be listened on");
  }
  const in_port_t bound_port = own.ss_family == AF_INET6
                                   ? reinterpret_cast<sockaddr_in6*>(&own)->sin6_port
                                   : reinterpret_cast<sockaddr_in*>(&own)->sin_port;
  return std::unique_ptr<LocalListener>(
      std::make_unique<SocketListener>(std::move(socket), ntohs(bound_port), ""));
}

/// Whether nobody listens at that path any more: then its file may go.
bool is_abandoned(const sockaddr_un& name) {
  struct stat file {};
  if (lstat(name.sun_path, &file) != 0 || !S_ISSOCK(file.st_mode)) return false;
  const Descriptor probe(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  return connect(probe.get(), reinterpret_cast<const sockaddr*>(&name), sizeof name) != 0 &&
         errno == ECONNREFUSED;
}

Result<std::unique_ptr<LocalListener>> listen_on_path(const std::string& path) {
  sockaddr_un name{};
  name.sun_family = AF_UNIX;
  if (path.size() >= sizeof name.sun_path) return cannot("the socket's path is too long");
  std::memcpy(name.sun_path, path.c_str(), path.size());
  if (is_abandoned(name)) unlink(path.c_str());
  Descriptor socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  // The socket's mode becomes the file's: nobody else can connect at any moment.
  const bool good = fchmod(socket.get(), S_IRUSR | S_IWUSR) == 0 &&
                    bind(socket.get(), reinterpret_cast<const sockaddr*>(&name), sizeof name) == 0;
  if (!good) return cannot("the socket cannot be made there: is there something already?");
  if (chmod(path.c_str(), S_IRUSR | S_IWUSR) != 0 || listen(socket.get(), kBacklog) != 0) {
    unlink(path.c_str());
    return cannot("the socket cannot be listened on");
  }
  return std::unique_ptr<LocalListener>(
      std::make_unique<SocketListener>(std::move(socket), 0, path));
}

}  // namespace

Result<std::unique_ptr<LocalListener>> listen_locally(const LocalAddress& address) {
  return address.path.empty() ? listen_on_address(address) : listen_on_path(address.path);
}

}  // namespace cloister
