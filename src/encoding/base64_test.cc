#include "encoding/base64.h"

#include <gtest/gtest.h>
#include <rapidcheck.h>

#include "encoding/hex.h"

namespace cloister {
namespace {

TEST(Base64, RefusesWhatNoEncoderWrites) {
  for (const char* text : {"A", "AA", "AAA", "AA=", "A===", "====", "AA=A", "AAA=AAAA", "AB==",
                           "AAB=", "A A=", "AA-_", "AAAA\n", "AA==AAAA"}) {
    EXPECT_FALSE(base64_decode(text).ok()) << text;
  }
  for (const char* text : {"A", "AA==", "AAA=", "AB", "AAB", "AA+/", "AA AA"}) {
    EXPECT_FALSE(base64url_decode(text).ok()) << text;
  }
}

TEST(Base64, EncodesTheRfcExamples) {
  EXPECT_EQ(base64_encode(bytes_of("")), "");
  EXPECT_EQ(base64_encode(bytes_of("f")), "Zg==");
  EXPECT_EQ(base64_encode(bytes_of("fo")), "Zm8=");
  EXPECT_EQ(base64_encode(bytes_of("foobar")), "Zm9vYmFy");
  EXPECT_EQ(base64url_encode(bytes_of("fo")), "Zm8");
  EXPECT_EQ(base64_encode(bytes_of("\xfb\xff")), "+/8=");
  EXPECT_EQ(base64url_encode(bytes_of("\xfb\xff")), "-_8");
}

TEST(Base64, ReturnsWhatWasEncoded) {
  EXPECT_TRUE(rc::check([](const std::string& text) {
    const Bytes bytes = bytes_of(text);
    RC_ASSERT(base64_decode(base64_encode(bytes)).value() == copy_of(bytes));
    RC_ASSERT(base64url_decode(base64url_encode(bytes)).value() == copy_of(bytes));
  }));
}

TEST(Hex, RefusesOddLengthsAndOtherCharacters) {
  for (const char* text : {"a", "0g", "0x00", " 00", "00 "}) {
    EXPECT_EQ(hex_decode(text).error().code, Code::invalid) << text;
  }
}

TEST(Hex, ReturnsWhatWasEncoded) {
  EXPECT_EQ(hex_encode(bytes_of("\x01\xaf")), "01af");
  EXPECT_EQ(hex_decode("01aF").value(), copy_of(bytes_of("\x01\xaf")));
  EXPECT_EQ(hex_decode("").value(), ByteVector{});
}

}  // namespace
}  // namespace cloister
