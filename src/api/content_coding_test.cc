#include "api/content_coding.h"

#include <gtest/gtest.h>

#include <string>

namespace cloister {
namespace {

HttpRequestHead head_with(const char* name, const char* value) {
  HttpRequestHead head;
  head.headers.push_back({name, value});
  return head;
}

std::string coded(const std::string& text, DeflateForm form) {
  std::string room(deflate_bound(text.size()), '\0');
  const auto size = deflate_into(bytes_of(text), form, std::as_writable_bytes(std::span(room)));
  room.resize(size.value());
  return room;
}

TEST(RequestCoding, RefusesOthersAndSeveral) {
  for (const char* value : {"br", "gzip, gzip", "gzip,deflate", "GZIP2", ""}) {
    EXPECT_FALSE(request_coding(head_with("content-encoding", value)).ok()) << value;
  }
  EXPECT_EQ(request_coding(head_with("content-encoding", "identity")).value(), std::nullopt);
  EXPECT_EQ(request_coding(head_with("content-encoding", "deflate")).value(), DeflateForm::zlib);
}

TEST(WantedCoding, IsWhatTheSenderNamesAlone) {
  EXPECT_EQ(wanted_coding(head_with("accept-encoding", "gzip, deflate")), std::nullopt);
  EXPECT_EQ(wanted_coding(head_with("accept-encoding", "gzip;q=0")), std::nullopt);
  EXPECT_EQ(wanted_coding(head_with("accept-encoding", "gzip")), DeflateForm::gzip);
}

TEST(DecodeContent, NeverYieldsMoreThanTheBound) {
  const std::string text(100'000, 'x');
  const std::string body = coded(text, DeflateForm::gzip);
  EXPECT_LT(body.size(), 1000U);
  const auto refused = decode_content(bytes_of(body), DeflateForm::gzip, text.size() - 1);
  EXPECT_EQ(refused.error().code, Code::too_large);
  const auto whole = decode_content(bytes_of(body), DeflateForm::gzip, text.size());
  ASSERT_TRUE(whole.ok());
  EXPECT_EQ(text_of(whole.value().memory.bytes().first(whole.value().size)), text);
}

TEST(DecodeContent, RefusesEveryCutAndEveryFlippedByte) {
  const std::string text = "0123456789abcdef0123456789abcdef";
  for (const DeflateForm form : {DeflateForm::gzip, DeflateForm::zlib}) {
    const std::string body = coded(text, form);
    for (std::size_t i = 0; i < body.size(); ++i) {
      EXPECT_FALSE(decode_content(bytes_of(body.substr(0, i)), form, 1000).ok()) << i;
      std::string damaged = body;
      damaged[i] = static_cast<char>(damaged[i] ^ 0x20);
      const auto decoded = decode_content(bytes_of(damaged), form, 1000);
      // A gzip header says more than its checksum covers: what does not matter may change.
      if (!decoded.ok()) continue;
      EXPECT_EQ(text_of(decoded.value().memory.bytes().first(decoded.value().size)), text) << i;
    }
  }
}

TEST(EncodeContent, CodesWhatGetsShorterAndLeavesTheRest) {
  HttpResponse response = text_response(200, "text/plain", std::string(5000, 'y'));
  ASSERT_TRUE(encode_content(response, DeflateForm::zlib).ok());
  ASSERT_EQ(response.body.pieces.size(), 1U);
  EXPECT_EQ(response.headers.back().value, "deflate");
  const auto decoded = decode_content(response.body.pieces[0], DeflateForm::zlib, 5000);
  EXPECT_EQ(decoded.value().size, 5000U);
  HttpResponse small = text_response(200, "text/plain", "short");
  ASSERT_TRUE(encode_content(small, DeflateForm::gzip).ok());
  EXPECT_EQ(small.body.pieces[0].size(), 5U);
}

TEST(EncodeContent, CodesSeveralPiecesAsOne) {
  const std::string first(3000, 'y');
  const std::string last = "and the end";
  HttpResponse response;
  response.body.pieces = {bytes_of(first), Bytes(), bytes_of(last)};
  ASSERT_TRUE(encode_content(response, DeflateForm::gzip).ok());
  ASSERT_EQ(response.body.pieces.size(), 1U);
  const auto decoded = decode_content(response.body.pieces[0], DeflateForm::gzip, 5000);
  ASSERT_TRUE(decoded.ok());
  EXPECT_EQ(text_of(decoded.value().memory.bytes().first(decoded.value().size)), first + last);
}

}  // namespace
}  // namespace cloister
