#include "encoding/cbor.h"

#include <gtest/gtest.h>

#include "encoding/hex.h"

namespace cloister {
namespace {

Result<CborValue> decode_hex(const char* hex, CborOrder order = CborOrder::sorted) {
  return decode_cbor(hex_decode(hex).value(), order);
}

TEST(DecodeCbor, RefusesWhatIsNotDeterministic) {
  const char* const kRefused[] = {
      "",                  // nothing
      "1817",              // 23 in a longer head
      "190018",            // 24 in a longer head
      "1a0000ffff",        // 65535 in a longer head
      "1b00000000ffffffff",
      "5f4101ff",          // indefinite bytes
      "9fff",              // indefinite array
      "bfff",              // indefinite map
      "f93c00",            // half float
      "fb3ff0000000000000",
      "f7",                // undefined
      "f820",              // simple value
      "ff",                // break
      "0000",              // trailing
      "61ff",              // text that is not UTF-8
      "a2616201616102",    // keys out of order
      "a2616101616102",    // duplicate key
      "4301",              // cut
      "9b7fffffffffffffff",  // a count without items
      "bb7fffffffffffffff",
      "5bffffffffffffffff",
      "c1",
  };
  for (const char* hex : kRefused) EXPECT_EQ(decode_hex(hex).error().code, Code::corrupt) << hex;
}

TEST(DecodeCbor, RefusesDepthAndCountPastTheLimits) {
  const ByteVector nested(64, std::byte{0x81});
  EXPECT_EQ(decode_cbor(nested, CborOrder::sorted).error().code, Code::too_large);
  CborLimits limits;
  limits.values_max = 3;
  EXPECT_TRUE(decode_cbor(hex_decode("820101").value(), CborOrder::sorted, limits).ok());
  EXPECT_FALSE(decode_cbor(hex_decode("83010101").value(), CborOrder::sorted, limits).ok());
  limits.bytes_max = 1;
  EXPECT_EQ(decode_cbor(hex_decode("8101").value(), CborOrder::sorted, limits).error().code,
            Code::too_large);
}

TEST(DecodeCbor, RefusesADuplicateKeyInAnyOrder) {
  EXPECT_TRUE(decode_hex("a2616201616102", CborOrder::any).ok());
  EXPECT_FALSE(decode_hex("a3616101616202616103", CborOrder::any).ok());
}

TEST(EncodeCbor, WritesTheRfcExamples) {
  const auto hex = [](const CborValue& value) { return hex_encode(encode_cbor(value)); };
  EXPECT_EQ(hex(CborValue::of_unsigned(0)), "00");
  EXPECT_EQ(hex(CborValue::of_unsigned(24)), "1818");
  EXPECT_EQ(hex(CborValue::of_unsigned(1000)), "1903e8");
  EXPECT_EQ(hex(CborValue::of_unsigned(1000000)), "1a000f4240");
  EXPECT_EQ(hex(CborValue::of_unsigned(~std::uint64_t{0})), "1bffffffffffffffff");
  EXPECT_EQ(hex(CborValue::of_integer(-1)), "20");
  EXPECT_EQ(hex(CborValue::of_integer(-1000)), "3903e7");
  EXPECT_EQ(hex(CborValue::of_boolean(true)), "f5");
  EXPECT_EQ(hex(CborValue()), "f6");
  EXPECT_EQ(hex(CborValue::of_text("IETF")), "6449455446");
  EXPECT_EQ(hex(CborValue::of_bytes(bytes_of("\x01\x02"))), "420102");
  EXPECT_EQ(hex(CborValue::of_tag(60000, CborValue::of_array({}))), "d9ea6080");
}

TEST(EncodeCbor, SortsMapsByEncodedKey) {
  const CborValue map = CborValue::of_map({{CborValue::of_text("bb"), CborValue::of_unsigned(1)},
                                           {CborValue::of_text("c"), CborValue::of_unsigned(2)},
                                           {CborValue::of_unsigned(9), CborValue()}});
  EXPECT_EQ(hex_encode(encode_cbor(map)), "a309f661630262626201");
}

TEST(DecodeCbor, ReadsEveryKind) {
  const CborValue value = decode_hex("a4616101616220616383f4f542010261646178").value();
  EXPECT_EQ(value.find("a")->unsigned_integer(), 1U);
  EXPECT_EQ(value.find("b")->integer(), -1);
  EXPECT_EQ(value.find("b")->unsigned_integer(), std::nullopt);
  ASSERT_EQ(value.find("c")->items().size(), 3U);
  EXPECT_EQ(value.find("c")->items()[1].boolean(), true);
  EXPECT_EQ(value.find("c")->items()[2].bytes()->size(), 2U);
  EXPECT_EQ(value.find("d")->text(), "x");
  EXPECT_EQ(value.find("e"), nullptr);
  const CborValue tagged = decode_hex("d9ea6000").value();
  EXPECT_EQ(tagged.tagged()->tag, 60000U);
  EXPECT_EQ(decode_hex("3bffffffffffffffff").value().integer(), std::nullopt);
}

}  // namespace
}  // namespace cloister
