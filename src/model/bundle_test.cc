#include <gtest/gtest.h>

#include "base/check.h"
#include "model/model.h"

namespace cloister {
namespace {

GraphBundle example() {
  GraphBundle bundle;
  bundle.graph = copy_of(bytes_of("graph"));
  bundle.weights = {{"w", DType::f32, {2, 3}, 0, 24}, {"b", DType::i64, {}, 64, 8}};
  bundle.weights_bytes = 72;
  bundle.signature.inputs = {{"x", DType::f32, true, {{std::nullopt, "batch"}, {3, ""}}}};
  bundle.signature.optional_inputs = {{"o", DType::bytes, false, {}}};
  bundle.signature.outputs = {{"y", DType::f16, true, {}}};
  return bundle;
}

bool equal(const GraphBundle& a, const GraphBundle& b) {
  return a.graph == b.graph && a.weights == b.weights && a.weights_bytes == b.weights_bytes &&
         a.signature == b.signature;
}

TEST(DecodeBundle, RefusesEveryCut) {
  const ByteVector encoded = encode_bundle(example());
  for (std::size_t size = 0; size < encoded.size(); ++size) {
    EXPECT_EQ(decode_bundle(Bytes(encoded).first(size)).error().code, Code::corrupt) << size;
  }
}

TEST(DecodeBundle, SurvivesEveryFlippedByte) {
  const ByteVector encoded = encode_bundle(example());
  for (std::size_t i = 0; i < encoded.size(); ++i) {
    for (const unsigned flip : {0x01U, 0x80U, 0xFFU}) {
      ByteVector damaged = encoded;
      damaged[i] ^= static_cast<std::byte>(flip);
      const Result<GraphBundle> decoded = decode_bundle(damaged);
      if (decoded.ok()) {
        EXPECT_EQ(encode_bundle(decoded.value()), damaged) << i;
      }
    }
  }
}

TEST(DecodeBundle, RefusesWeightsThatOverlapOrLieOutside) {
  const auto refuses = [](auto change) {
    GraphBundle bundle = example();
    change(bundle);
    return !decode_bundle(encode_bundle(bundle)).ok();
  };
  EXPECT_TRUE(refuses([](GraphBundle& b) { b.weights[1].offset = 0; }));
  EXPECT_TRUE(refuses([](GraphBundle& b) { b.weights[1].offset = 32; }));
  EXPECT_TRUE(refuses([](GraphBundle& b) { b.weights[1].offset = ~std::uint64_t{63}; }));
  EXPECT_TRUE(refuses([](GraphBundle& b) { b.weights_bytes = 71; }));
  EXPECT_TRUE(refuses([](GraphBundle& b) { b.weights[0].bytes = 20; }));
  EXPECT_TRUE(refuses([](GraphBundle& b) { b.weights[0].shape = {1ULL << 40, 1ULL << 40}; }));
  EXPECT_TRUE(refuses([](GraphBundle& b) { b.weights[1].name = "w"; }));
  EXPECT_TRUE(refuses([](GraphBundle& b) { b.weights[1].name = ""; }));
  EXPECT_TRUE(refuses([](GraphBundle& b) { b.weights[1].type = DType::bytes; }));
  EXPECT_TRUE(refuses([](GraphBundle& b) { b.signature.inputs.push_back(b.signature.inputs[0]); }));
  EXPECT_TRUE(refuses([](GraphBundle& b) { b.signature.optional_inputs[0].name = "x"; }));
  EXPECT_TRUE(refuses([](GraphBundle& b) { b.signature.outputs[0].name = ""; }));
}

TEST(DecodeBundle, ReturnsWhatWasEncoded) {
  EXPECT_TRUE(equal(decode_bundle(encode_bundle(example())).value(), example()));
  EXPECT_TRUE(equal(decode_bundle(encode_bundle(GraphBundle{})).value(), GraphBundle{}));
}

}  // namespace
}  // namespace cloister
