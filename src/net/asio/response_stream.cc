#include "net/asio/response_stream.h"

#include <algorithm>
#include <string>

#include "base/check.h"
#include "net/reason_phrase.h"
#include "secret/secret_bytes.h"

namespace cloister {
namespace {

constexpr std::size_t kRecordBytes = 16 * 1024;  // the most that one TLS record carries

bool fits_one_line(std::string_view text) noexcept {
  return std::none_of(text.begin(), text.end(), [](char c) {
    return c == '\r' || c == '\n' || c == '\0';
  });
}

bool writable(const HttpResponse& response) noexcept {
  return response.status >= 200 && response.status <= 599 &&
         std::all_of(response.headers.begin(), response.headers.end(), [](const HttpHeader& each) {
           return !each.name.empty() && fits_one_line(each.name) && fits_one_line(each.value);
         });
}

}  // namespace

HttpResponse refusal_response(const HttpRefusal& refusal) {
  std::string text = "{\"error\":\"";
  text += refusal.text.text;
  text += "\",\"code\":\"";
  text += name_of(refusal.code);
  text += "\"}";
  HttpResponse response = text_response(refusal.status, "application/json", std::move(text));
  if (refusal.status == 405) {
    response.headers.push_back({"allow", "GET, HEAD, PUT, POST, DELETE, OPTIONS"});
  }
  return response;
}

void ResponseStream::start(HttpResponse response, Framing framing) {
  finish();
  if (!writable(response)) {
    response = refusal_response({500, Code::internal, "the answer could not be written"});
  }
  std::uint64_t length = 0;
  for (const Bytes piece : response.body.pieces) length += piece.size();
  gather("HTTP/1.1 ");
  gather(std::to_string(response.status));
  gather(" ");
  gather(reason_phrase(response.status));
  gather("\r\n");
  for (const HttpHeader& header : response.headers) {
    gather(header.name);
    gather(": ");
    gather(header.value);
    gather("\r\n");
  }
  const bool bodiless = response.status == 204 || response.status == 304;
  if (!bodiless) {
    gather("content-length: ");
    gather(std::to_string(length));
    gather("\r\n");
  }
  if (framing.close) gather("connection: close\r\n");
  gather("\r\n");
  if (framing.head_only || bodiless) return;
  body_ = std::move(response.body);
  gather_pieces();
}

void ResponseStream::start_continue() {
  finish();
  gather("HTTP/1.1 100 Continue\r\n\r\n");
}

void ResponseStream::gather(std::string_view text) {
  const Bytes bytes = bytes_of(text);
  gathered_.insert(gathered_.end(), bytes.begin(), bytes.end());
}

void ResponseStream::gather_pieces() {
  gathered_.reserve(kRecordBytes);
  while (piece_ < body_.pieces.size() && gathered_.size() < kRecordBytes) {
    const Bytes rest = body_.pieces[piece_].subspan(piece_at_);
    const Bytes part = rest.first(std::min(rest.size(), kRecordBytes - gathered_.size()));
    gathered_.insert(gathered_.end(), part.begin(), part.end());
    piece_at_ += part.size();
    if (part.size() == rest.size()) {
      ++piece_;
      piece_at_ = 0;
    }
  }
}

Bytes ResponseStream::front() {
  if (gathered_at_ < gathered_.size()) return Bytes(gathered_).subspan(gathered_at_);
  if (piece_ == body_.pieces.size()) return {};
  const Bytes rest = body_.pieces[piece_].subspan(piece_at_);
  if (rest.size() >= kRecordBytes) return rest;
  wipe(gathered_);  // a shorter piece would leave the end of this one behind
  gathered_.clear();
  gathered_at_ = 0;
  gather_pieces();
  return gathered_;
}

void ResponseStream::consume(std::size_t count) {
  if (gathered_at_ < gathered_.size()) {
    CLOISTER_CHECK(count <= gathered_.size() - gathered_at_);
    gathered_at_ += count;
    return;
  }
  CLOISTER_CHECK(count <= body_.pieces[piece_].size() - piece_at_);
  piece_at_ += count;
  if (piece_at_ == body_.pieces[piece_].size()) {
    ++piece_;
    piece_at_ = 0;
  }
}

void ResponseStream::finish() noexcept {
  wipe(gathered_);
  gathered_.clear();
  gathered_at_ = 0;
  body_ = HttpBody{};
  piece_ = 0;
  piece_at_ = 0;
}

}  // namespace cloister
