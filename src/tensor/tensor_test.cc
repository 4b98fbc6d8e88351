#include "tensor/tensor.h"

#include <gtest/gtest.h>

namespace cloister {
namespace {

TEST(ElementCount, RefusesWhatNoTensorMayHave) {
  EXPECT_EQ(element_count(Shape(kRankMax + 1, 1)).error().code, Code::too_large);
  EXPECT_EQ(element_count({kElementsMax + 1}).error().code, Code::too_large);
  EXPECT_EQ(element_count({1ULL << 40, 1ULL << 40}).error().code, Code::too_large);
  EXPECT_EQ(element_count({1ULL << 40, 0, 1ULL << 40}).error().code, Code::too_large);
  EXPECT_EQ(element_count({0, ~0ULL}).error().code, Code::too_large);
}

TEST(ElementCount, MultipliesExtents) {
  EXPECT_EQ(element_count({}).value(), 1U);
  EXPECT_EQ(element_count({2, 3, 4}).value(), 24U);
  EXPECT_EQ(element_count({2, 0, 4}).value(), 0U);
  EXPECT_EQ(element_count(Shape(kRankMax, 1)).value(), 1U);
}

TEST(TensorBytes, RefusesPastTheBound) {
  EXPECT_EQ(tensor_bytes(DType::f64, {kElementsMax}).error().code, Code::too_large);
  EXPECT_EQ(tensor_bytes(DType::f16, {3, 5}).value(), 30U);
}

TEST(DTypes, HaveNamesThatReadBack) {
  for (int i = 0; i <= static_cast<int>(DType::bytes); ++i) {
    const auto type = static_cast<DType>(i);
    EXPECT_EQ(dtype_from_protocol(protocol_name(type)), type);
  }
  EXPECT_EQ(dtype_from_protocol("FP8"), std::nullopt);
  EXPECT_EQ(numpy_name(DType::f32), "float32");
  EXPECT_EQ(text_of(Shape{1, 30}), "[1,30]");
  EXPECT_EQ(text_of(Shape{}), "[]");
}

TEST(BytesElements, RefusesLengthsThatDoNotAddUp) {
  const std::string_view two("\2\0\0\0ab\0\0\0\0", 10);
  EXPECT_EQ(bytes_elements(bytes_of(two), 1).error().code, Code::invalid);
  EXPECT_EQ(bytes_elements(bytes_of(two), 3).error().code, Code::invalid);
  EXPECT_EQ(bytes_elements(bytes_of(two), 1ULL << 60).error().code, Code::invalid);
  EXPECT_EQ(bytes_elements(bytes_of(two.substr(0, 9)), 2).error().code, Code::invalid);
  const std::string_view lying("\xff\xff\xff\xff" "ab", 6);
  EXPECT_EQ(bytes_elements(bytes_of(lying), 1).error().code, Code::invalid);
}

TEST(BytesElements, FindsEveryElement) {
  const auto elements = bytes_elements(bytes_of(std::string_view("\2\0\0\0ab\0\0\0\0", 10)), 2);
  ASSERT_EQ(elements.value().size(), 2U);
  EXPECT_EQ(text_of(elements.value()[0]), "ab");
  EXPECT_TRUE(elements.value()[1].empty());
}

}  // namespace
}  // namespace cloister
