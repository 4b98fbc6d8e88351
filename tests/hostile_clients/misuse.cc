#include "hostile_clients/misuse.h"

#include <arpa/inet.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <stdexcept>
#include <thread>

#include "support/tls_client.h"

namespace cloister {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kPause{2000};
constexpr milliseconds kCrumbPause{500};
constexpr milliseconds kBombPause{40'000};
constexpr milliseconds kPatience{90'000};  // longer than the server has
constexpr milliseconds kDeafFor{25'000};
constexpr int kUnreadAnswers = 200;

std::string head_of(const Target& target, std::string_view more) {
  return "POST /v2/models/owner.m/infer HTTP/1.1\r\nhost: a\r\nauthorization: Bearer " +
         target.token + "\r\ncontent-type: application/json\r\n" + std::string(more);
}

/// Sends `pieces` one by one until the server hangs up or there are no more.
void trickle(TlsClient& client, std::string_view text, std::size_t piece, milliseconds pause) {
  for (; !text.empty(); text.remove_prefix(std::min(piece, text.size()))) {
    if (!client.try_send(text.substr(0, piece))) return;
    std::this_thread::sleep_for(pause);
  }
}

/// Whether the peer hangs up within `most`; reads nothing.
bool wait_for_end(int descriptor, milliseconds most) {
  pollfd wait{descriptor, POLLRDHUP, 0};
  return ::poll(&wait, 1, static_cast<int>(most.count())) == 1;
}

void send_head_slowly(const Target& target) {
  TlsClient client(target.port);
  std::string many = head_of(target, "");
  while (many.size() < 10'000) many += "x: y\r\n";
  trickle(client, many, 1, kPause);
}

void send_body_slowly(const Target& target) {
  TlsClient client(target.port);
  client.send(head_of(target, "content-length: 5000\r\n\r\n"));
  trickle(client, std::string(5000, 'x'), 1, kPause);
}

void send_crumbs(const Target& target) {
  constexpr std::string_view kCrumb = "1\r\nx\r\n";
  TlsClient client(target.port);
  client.send(head_of(target, "transfer-encoding: chunked\r\n\r\n"));
  std::string crumbs;
  for (int i = 0; i < 1000; ++i) crumbs += kCrumb;
  trickle(client, crumbs, kCrumb.size(), kCrumbPause);
}

void lie_about_length(const Target& target) {
  TlsClient client(target.port);
  client.send(head_of(target, "content-length: 60000\r\n\r\n") + std::string(100, 'x'));
  wait_for_end(client.descriptor(), kPatience);
}

void send_bombs(const Target& target) {
  TlsClient client(target.port);
  const std::string request =
      head_of(target, "content-encoding: gzip\r\ncontent-length: " +
                          std::to_string(target.bomb.size()) + "\r\n\r\n") +
      target.bomb;
  while (client.try_send(request) && client.receive()) std::this_thread::sleep_for(kBombPause);
}

void read_no_answer(const Target& target) {
  TlsClient client(target.port);
  for (int i = 0; i < kUnreadAnswers; ++i) {
    client.send("GET /v2/openapi.json HTTP/1.1\r\nhost: a\r\n\r\n");
  }
  // What is unread hides the end of the connection.
  std::this_thread::sleep_for(kDeafFor);
}

void say_nothing(const Target& target) {
  const TlsClient client(target.port);
  wait_for_end(client.descriptor(), kPatience);
}

void begin_a_handshake(const Target& target) {
  const int descriptor = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(target.port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  constexpr std::array<unsigned char, 6> kRecord = {0x16, 3, 1, 2, 0, 1};
  if (::connect(descriptor, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0 &&
      ::send(descriptor, kRecord.data(), kRecord.size(), MSG_NOSIGNAL) > 0) {
    wait_for_end(descriptor, kPatience);
  }
  ::close(descriptor);
}

constexpr std::array kMisuses = {
    Misuse{"slow head", send_head_slowly},   Misuse{"slow body", send_body_slowly},
    Misuse{"crumbs", send_crumbs},           Misuse{"lying length", lie_about_length},
    Misuse{"bomb", send_bombs},              Misuse{"unread answers", read_no_answer},
    Misuse{"silence", say_nothing},          Misuse{"half a handshake", begin_a_handshake},
};

}  // namespace

std::span<const Misuse> misuses() noexcept { return kMisuses; }

}  // namespace cloister
