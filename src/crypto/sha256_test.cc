#include "crypto/sha256.h"

#include <gtest/gtest.h>

#include <string>

namespace cloister {
namespace {

template <class Digest>
std::string hex(const Digest& digest) {
  std::string text;
  for (const std::byte byte : digest) {
    text += "0123456789abcdef"[std::to_integer<unsigned>(byte) >> 4];
    text += "0123456789abcdef"[std::to_integer<unsigned>(byte) & 15];
  }
  return text;
}

// FIPS 180-4 examples published by NIST: "abc".
TEST(Sha2, AgreesWithThePublishedExamples) {
  const Bytes abc = bytes_of("abc");
  EXPECT_EQ(hex(sha256(abc)), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(hex(sha384(abc)),
            "cb00753f45a35e8bb5a03d699ac65007272c32ab0eded1631a8b605a43ff5bed"
            "8086072ba1e7cc2358baeca134c825a7");
  EXPECT_EQ(hex(sha512(abc)),
            "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a"
            "2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f");
  EXPECT_EQ(hex(sha256({})), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
}

TEST(Sha256Stream, AgreesWithOnePieceHoweverTheBytesAreCut) {
  const ByteVector input(1000, std::byte{0x61});
  for (std::size_t cut = 0; cut <= input.size(); cut += 37) {
    Sha256Stream stream;
    stream.update(Bytes(input).first(cut));
    stream.update(Bytes(input).subspan(cut));
    EXPECT_EQ(stream.finish(), sha256(input)) << cut;
  }
}

}  // namespace
}  // namespace cloister
