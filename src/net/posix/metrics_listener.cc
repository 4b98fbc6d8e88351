#include "net/metrics_listener.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <array>
#include <cstring>
#include <string_view>
#include <thread>
#include <utility>

namespace cloister {
namespace {

constexpr std::size_t kRequestBytesMax = 8 * 1024;
constexpr time_t kSecondsMax = 2;
constexpr int kBacklog = 8;

/// Owns a descriptor.
class Descriptor {
 public:
  explicit Descriptor(int number) noexcept : number_(number) {}
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  ~Descriptor() {
    if (number_ >= 0) ::close(number_);
  }
  int get() const noexcept { return number_; }

 private:
  int number_;
};

struct Address {
  sockaddr_storage storage{};
  socklen_t size = 0;
  sockaddr* get() noexcept { return reinterpret_cast<sockaddr*>(&storage); }
};

Result<Address> address_of(const std::string& text, std::uint16_t port) {
  Address address;
  auto* v4 = reinterpret_cast<sockaddr_in*>(&address.storage);
  auto* v6 = reinterpret_cast<sockaddr_in6*>(&address.storage);
  if (::inet_pton(AF_INET, text.c_str(), &v4->sin_addr) == 1) {
    v4->sin_family = AF_INET;
    v4->sin_port = htons(port);
    address.size = sizeof *v4;
  } else if (::inet_pton(AF_INET6, text.c_str(), &v6->sin6_addr) == 1) {
    v6->sin6_family = AF_INET6;
    v6->sin6_port = htons(port);
    address.size = sizeof *v6;
  } else {
    return Error{Code::invalid, "metrics.address"};
  }
  return address;
}

std::string answer_to(std::string_view request, const std::function<std::string()>& text) {
  const std::string_view line = request.substr(0, request.find("\r\n"));
  const bool get = line.starts_with("GET /metrics HTTP/1.");
  std::string body = get ? text() : "only GET /metrics is served here\n";
  std::string answer = get ? "HTTP/1.1 200 OK\r\n" : "HTTP/1.1 404 Not Found\r\n";
  answer += get ? "content-type: text/plain; version=0.0.4; charset=utf-8\r\n"
                : "content-type: text/plain\r\n";
  answer += "content-length: " + std::to_string(body.size()) + "\r\nconnection: close\r\n\r\n";
  return answer + body;
}

class PosixMetricsListener final : public MetricsListener {
 public:
  PosixMetricsListener(int listener, int stop, std::function<std::string()> text)
      : listener_(listener), stop_(stop), text_(std::move(text)) {}
  ~PosixMetricsListener() override {
    const std::uint64_t one = 1;
    while (::write(stop_.get(), &one, sizeof one) < 0 && errno == EINTR) {
    }
    thread_ = std::jthread();  // joins
  }

  std::uint16_t port() const noexcept override { return port_; }

  Status start() {
    Address bound;
    bound.size = sizeof bound.storage;
    if (::getsockname(listener_.get(), bound.get(), &bound.size) != 0) {
      return Error{Code::io, "metrics.listen"};
    }
    port_ = ntohs(bound.storage.ss_family == AF_INET
                      ? reinterpret_cast<sockaddr_in*>(&bound.storage)->sin_port
                      : reinterpret_cast<sockaddr_in6*>(&bound.storage)->sin6_port);
    try {
      thread_ = std::jthread([this] { work(); });
    } catch (...) {
      return Error{Code::io, "metrics.thread"};
    }
    return Done{};
  }

 private:
  void work() noexcept {
    sigset_t all;
    sigfillset(&all);
    pthread_sigmask(SIG_BLOCK, &all, nullptr);
    for (;;) {
      std::array<pollfd, 2> waits{{{listener_.get(), POLLIN, 0}, {stop_.get(), POLLIN, 0}}};
      if (::poll(waits.data(), waits.size(), -1) < 0 && errno != EINTR) return;
      if (waits[1].revents != 0) return;
      if ((waits[0].revents & POLLIN) == 0) continue;
      const Descriptor connection(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
      if (connection.get() < 0) continue;
      try {
        serve(connection.get());
      } catch (...) {
        // Memory is short: this scrape fails, the next may not.
      }
    }
  }

  void serve(int connection) const {
    const timeval limit{kSecondsMax, 0};
    ::setsockopt(connection, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    ::setsockopt(connection, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
    const auto until = std::chrono::steady_clock::now() + std::chrono::seconds(kSecondsMax);
    std::string request;
    std::array<char, 1024> piece{};
    while (request.find("\r\n\r\n") == request.npos) {
      const auto count = ::recv(connection, piece.data(), piece.size(), 0);
      const bool late = std::chrono::steady_clock::now() > until;
      if (count <= 0 || late || request.size() > kRequestBytesMax) return;
      request.append(piece.data(), static_cast<std::size_t>(count));
    }
    const std::string answer = answer_to(request, text_);
    for (std::string_view rest = answer; !rest.empty();) {
      const auto count = ::send(connection, rest.data(), rest.size(), MSG_NOSIGNAL);
      if (count <= 0) return;
      rest.remove_prefix(static_cast<std::size_t>(count));
    }
  }

  const Descriptor listener_;
  const Descriptor stop_;
  const std::function<std::string()> text_;
  std::uint16_t port_ = 0;
  std::jthread thread_;
};

}  // namespace

Result<std::unique_ptr<MetricsListener>> start_metrics_listener(
    const std::string& address, std::uint16_t port, std::function<std::string()> text) {
  CLOISTER_ASSIGN(Address bound, address_of(address, port));
  const int listener = ::socket(bound.storage.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const int stop = ::eventfd(0, EFD_CLOEXEC);
  auto made = std::make_unique<PosixMetricsListener>(listener, stop, std::move(text));
  const int on = 1;
  if (listener < 0 || stop < 0 ||
      ::setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) != 0 ||
      ::bind(listener, bound.get(), bound.size) != 0 || ::listen(listener, kBacklog) != 0) {
    return Error{Code::io, "metrics.listen"};
  }
  CLOISTER_TRY(made->start());
  return std::unique_ptr<MetricsListener>(std::move(made));
}

}  // namespace cloister
