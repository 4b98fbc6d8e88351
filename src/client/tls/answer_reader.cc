#include "client/tls/answer_reader.h"

#include <algorithm>
#include <boost/beast/core/error.hpp>
#include <boost/beast/http/basic_parser.hpp>
#include <boost/beast/http/error.hpp>

namespace cloister {
namespace {

namespace http = boost::beast::http;
using boost::beast::error_code;
using BeastText = boost::beast::string_view;

constexpr std::uint32_t kHeadBytesMax = 64 * 1024;
constexpr std::size_t kHeadersMax = 256;

std::string_view plain(BeastText text) noexcept { return {text.data(), text.size()}; }

class BeastReader final : public AnswerReader, http::basic_parser<false> {
 public:
  BeastReader(AnswerSink& sink, bool to_head) : sink_(sink) {
    eager(true);
    skip(to_head);
    header_limit(kHeadBytesMax);
    body_limit(boost::none);
  }

  Result<std::size_t> take(Bytes input) override {
    std::size_t used = 0;
    while (!is_done() && used < input.size()) {
      error_code error;
      const Bytes rest = input.subspan(used);
      const std::size_t count = put(boost::asio::buffer(rest.data(), rest.size()), error);
      used += count;
      if (failure_) return *failure_;
      if (error == http::error::need_more) break;
      if (error) return Error{Code::corrupt, "client.answer"};
      if (count == 0) break;
    }
    return used;
  }

  Status end() override {
    error_code error;
    if (got_some()) put_eof(error);
    if (failure_) return *failure_;
    if (!error && is_done()) return Done{};
    return Error{Code::unavailable, "client.answer", Detail("the server closed the connection")};
  }

  bool finished() const noexcept override { return is_done(); }
  int status() const noexcept override { return head_.status; }
  bool keeps_alive() const noexcept override { return keep_alive(); }

 private:
  void fail(Error failure, error_code& error) {
    failure_ = std::move(failure);
    error = http::error::bad_value;  // any error ends the parsing; failure_ is what counts
  }
  void check(Status status, error_code& error) {
    if (!status.ok()) fail(status.error(), error);
  }

  void on_response_impl(int code, BeastText, int, error_code&) override { head_.status = code; }
  void on_field_impl(http::field, BeastText name, BeastText value, error_code& error) override {
    if (head_.headers.size() >= kHeadersMax) {
      return fail({Code::corrupt, "client.answer.headers"}, error);
    }
    std::string key(plain(name));
    std::ranges::transform(key, key.begin(), [](char c) {
      return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
    });
    head_.headers.push_back({std::move(key), std::string(plain(value))});
  }
  void on_header_impl(error_code& error) override {
    // Beast takes 0xx for an answer with a body.
    if (head_.status < 100) return fail({Code::corrupt, "client.answer.status"}, error);
    if (head_.status < 200) return;
    std::optional<std::uint64_t> body_bytes;
    if (const auto length = content_length()) {
      body_bytes = *length;
    } else if (is_done()) {
      body_bytes = 0;
    }
    check(sink_.begin({head_.status, std::move(head_.headers), {}}, body_bytes), error);
  }
  std::size_t on_body_impl(BeastText body, error_code& error) override {
    check(sink_.take(bytes_of(plain(body))), error);
    return body.size();
  }
  std::size_t on_chunk_body_impl(std::uint64_t, BeastText body, error_code& error) override {
    return on_body_impl(body, error);
  }
  void on_request_impl(http::verb, BeastText, BeastText, int, error_code&) override {}
  void on_body_init_impl(const boost::optional<std::uint64_t>&, error_code&) override {}
  void on_chunk_header_impl(std::uint64_t, BeastText, error_code&) override {}
  void on_finish_impl(error_code&) override {}

  AnswerSink& sink_;
  ClientResponse head_;
  std::optional<Error> failure_;
};

}  // namespace

std::unique_ptr<AnswerReader> make_answer_reader(AnswerSink& sink, bool to_head) {
  return std::make_unique<BeastReader>(sink, to_head);
}

}  // namespace cloister
