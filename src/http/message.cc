#include "http/message.h"

#include "secret/secret_bytes.h"

namespace cloister {
namespace {

/// Answers name models, and one of them a token.
struct WipedText {
  explicit WipedText(std::string&& owned) noexcept : text(std::move(owned)) {}
  WipedText(const WipedText&) = delete;
  WipedText& operator=(const WipedText&) = delete;
  ~WipedText() { wipe(text); }
  std::string text;
};

}  // namespace

void forget_credential(HttpRequestHead& head) noexcept {
  for (HttpHeader& each : head.headers) {
    if (each.name == "authorization") wipe(each.value);
  }
}

HttpResponse text_response(int status, std::string_view content_type, std::string text) {
  HttpResponse response;
  response.status = status;
  response.headers.push_back({"content-type", std::string(content_type)});
  auto owner = std::make_shared<const WipedText>(std::move(text));
  if (!owner->text.empty()) response.body.pieces.push_back(bytes_of(owner->text));
  response.body.owner = std::move(owner);
  return response;
}

}  // namespace cloister
