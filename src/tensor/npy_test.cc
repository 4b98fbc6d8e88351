#include "tensor/npy.h"

#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <string>
#include <vector>

namespace cloister {
namespace {

/// A file as NumPy lays it out, with a header of the test's own.
std::string npy_file(const std::string& dictionary, const std::string& data, char version = 1) {
  std::string text = dictionary + '\n';
  std::string file = "\x93NUMPY";
  file += {version, '\0', static_cast<char>(text.size() & 0xFF),
           static_cast<char>(text.size() >> 8)};
  if (version > 1) file += {'\0', '\0'};
  return file + text + data;
}

std::string header_of(const std::string& descr, const std::string& shape,
                      const std::string& fortran = "False") {
  return "{'descr': '" + descr + "', 'fortran_order': " + fortran + ", 'shape': " + shape + ", }";
}

Code refusal(const std::string& file) { return read_npy(bytes_of(file)).error().code; }

std::string converted(const std::string& file) {
  const NpyArray array = read_npy(bytes_of(file)).value();
  std::vector<std::byte> memory(array.conversion_bytes);
  return std::string(text_of(npy_tensor(array, memory).value().data));
}

TEST(ReadNpy, RefusesDamagedHeaders) {
  const std::string good = npy_file(header_of("<f4", "(1,)"), "abcd");
  ASSERT_TRUE(read_npy(bytes_of(good)).ok());
  for (std::size_t size = 0; size < good.size(); ++size) {
    EXPECT_FALSE(read_npy(bytes_of(good.substr(0, size))).ok()) << size;
  }
  EXPECT_EQ(refusal(good + "x"), Code::invalid);
  const char* const kDictionaries[] = {
      "", "{}", "[]", "{'descr': '<f4', 'fortran_order': False}",
      "{'descr': '<f4', 'fortran_order': False, 'shape': (1,), 'more': 1}",
      "{'descr': '<f4', 'descr': '<f4', 'fortran_order': False, 'shape': (1,)}",
      "{'descr': '<f4', 'fortran_order': 0, 'shape': (1,)}",
      "{'descr': '<f4', 'fortran_order': False, 'shape': (1)}",
      "{'descr': '<f4', 'fortran_order': False, 'shape': (1L,)}",
      "{'descr': '<f4', 'fortran_order': False, 'shape': (-1,)}",
      "{'descr': '<f4', 'fortran_order': False, 'shape': (1,,)}",
      "{'descr': '<f4', 'fortran_order': False, 'shape': [1]}",
      "{'descr': '<f4', 'fortran_order': False, 'shape': (1,)}x",
      "{'descr': '<f4' 'fortran_order': False, 'shape': (1,)}",
      "{'descr': '=f4', 'fortran_order': False, 'shape': (1,)}",
      "{'descr': '|f4', 'fortran_order': False, 'shape': (1,)}",
      "{'descr': '<f4x', 'fortran_order': False, 'shape': (1,)}",
      "{'descr': '<f', 'fortran_order': False, 'shape': (1,)}",
      "{'descr': '\\x3cf4', 'fortran_order': False, 'shape': (1,)}",
      "{'descr': '<f4', 'fortran_order': False, 'shape': (99999999999999999999999,)}",
  };
  for (const char* dictionary : kDictionaries) {
    EXPECT_EQ(refusal(npy_file(dictionary, "abcd")), Code::invalid) << dictionary;
  }
}

TEST(ReadNpy, RefusesShapesThatDoNotMatchTheData) {
  EXPECT_EQ(refusal(npy_file(header_of("<f4", "(2,)"), "abcd")), Code::invalid);
  EXPECT_EQ(refusal(npy_file(header_of("<f4", "(0,)"), "abcd")), Code::invalid);
  EXPECT_EQ(refusal(npy_file(header_of("<f4", "(4294967296, 4294967296)"), "")), Code::too_large);
  EXPECT_EQ(refusal(npy_file(header_of("<f4", "(0, 18446744073709551615)"), "")), Code::too_large);
  std::string ranks = "(";
  for (std::size_t i = 0; i <= kRankMax; ++i) ranks += "1, ";
  EXPECT_EQ(refusal(npy_file(header_of("<f4", ranks + ")"), "abcd")), Code::too_large);
}

TEST(ReadNpy, RefusesObjectsStructuresAndOtherTypesUnread) {
  for (const char* descr : {"|O", "|O8", "<V2", "|V2", "|V16", "<c8", "<M8", "<f16", "<i3"}) {
    const Code code = refusal(npy_file(header_of(descr, "(1,)"), std::string(16, 'x')));
    EXPECT_TRUE(code == Code::unsupported) << descr;
  }
  EXPECT_EQ(refusal(npy_file("{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (1,)}",
                             "abcd")),
            Code::unsupported);
  EXPECT_EQ(refusal(npy_file(header_of("|S0", "(2147483648,)"), "")), Code::invalid);
  EXPECT_EQ(refusal(npy_file(header_of("<U0", "(1,)"), "")), Code::invalid);
  EXPECT_EQ(refusal(npy_file(header_of("<f4", "(1,)"), "abcd", 4)), Code::unsupported);
}

TEST(ReadNpy, RefusesAHeaderLengthThatLies) {
  std::string file = npy_file(header_of("<f4", "(1,)"), "abcd", 2);
  file[10] = '\x7f';
  EXPECT_EQ(refusal(file), Code::too_large);
  file = npy_file(header_of("<f4", "(1,)"), "abcd");
  file[9] = '\x7f';
  EXPECT_EQ(refusal(file), Code::invalid);
}

TEST(ReadNpy, ViewsRowMajorLittleEndianInPlace) {
  for (const char version : {'\1', '\2', '\3'}) {
    const std::string file = npy_file(header_of("<f4", "(1, 2)"), "abcdefgh", version);
    const NpyArray array = read_npy(bytes_of(file)).value();
    EXPECT_EQ(array.conversion_bytes, 0U);
    const TensorView view = npy_tensor(array, {}).value();
    EXPECT_EQ(view.type, DType::f32);
    EXPECT_EQ(view.shape, (Shape{1, 2}));
    EXPECT_EQ(text_of(view.data).data(), file.data() + file.size() - 8);
  }
  EXPECT_EQ(read_npy(bytes_of(npy_file(header_of("|b1", "()"), "\1"))).value().shape, Shape{});
  EXPECT_EQ(read_npy(bytes_of(npy_file(header_of("<f4", "(2,)", "True"), "abcdefgh")))
                .value().conversion_bytes, 0U);
}

TEST(NpyTensor, ConvertsFortranOrderAndBigEndian) {
  EXPECT_EQ(converted(npy_file(header_of("|u1", "(2, 3)", "True"), "ADBECF")), "ABCDEF");
  EXPECT_EQ(converted(npy_file(header_of(">u2", "(2,)"), "abcd")), "badc");
  EXPECT_EQ(converted(npy_file(header_of(">u2", "(2, 2)", "True"), "abcdefgh")), "bafedchg");
  EXPECT_EQ(converted(npy_file(header_of("|u1", "(0, 3)", "True"), "")), "");
  EXPECT_EQ(converted(npy_file(header_of("|u1", "(2, 2, 2)", "True"), "aecgbfdh")), "abcdefgh");
}

TEST(NpyTensor, TurnsStringsIntoBytesElements) {
  EXPECT_EQ(converted(npy_file(header_of("|S3", "(2,)"), std::string("ab\0abc", 6))),
            std::string("\2\0\0\0ab\3\0\0\0abc", 13));
  EXPECT_EQ(converted(npy_file(header_of("<U1", "(1,)"), std::string("\xe9\0\0\0", 4))),
            std::string("\2\0\0\0\xc3\xa9", 6));
  EXPECT_EQ(converted(npy_file(header_of(">U1", "(1,)"), std::string("\0\1\xf6\0", 4))),
            std::string("\4\0\0\0\xf0\x9f\x98\x80", 8));
  const std::string surrogate = npy_file(header_of("<U1", "(1,)"), std::string("\0\xd8\0\0", 4));
  const NpyArray array = read_npy(bytes_of(surrogate)).value();
  std::vector<std::byte> memory(array.conversion_bytes);
  EXPECT_EQ(npy_tensor(array, memory).error().code, Code::invalid);
}

TEST(NpyLayout, RefusesWhatNumpyCannotHold) {
  EXPECT_EQ(npy_layout({DType::bf16, {1}, bytes_of("ab")}).error().code, Code::unsupported);
  const std::string_view nul("\1\0\0\0\0", 5);
  EXPECT_EQ(npy_layout({DType::bytes, {1}, bytes_of(nul)}).error().code, Code::unsupported);
  EXPECT_EQ(npy_layout({DType::bytes, {2}, bytes_of(nul)}).error().code, Code::invalid);
}

TEST(NpyLayout, WritesWhatReadsBack) {
  EXPECT_TRUE(rc::check([](std::uint8_t type_index, const std::vector<std::uint8_t>& extents) {
    const auto type = static_cast<DType>(type_index % 14);
    RC_PRE(type != DType::bytes && type != DType::bf16);
    Shape shape;
    for (std::size_t i = 0; i < std::min<std::size_t>(extents.size(), 4); ++i) {
      shape.push_back(extents[i] % 5);
    }
    const std::string data(tensor_bytes(type, shape).value(), '\1');
    const NpyLayout layout = npy_layout({type, shape, bytes_of(data)}).value();
    RC_ASSERT(layout.header.size() % 64 == 0 && layout.item_bytes == 0);
    const std::string file = layout.header + data;
    const NpyArray array = read_npy(bytes_of(file)).value();
    RC_ASSERT(array.type == type && array.shape == shape && text_of(array.data) == data);
  }));
}

TEST(NpyLayout, WritesBytesAsPaddedItems) {
  const std::string data("\2\0\0\0ab\0\0\0\0", 10);
  const TensorView tensor{DType::bytes, {2}, bytes_of(data)};
  const NpyLayout layout = npy_layout(tensor).value();
  EXPECT_EQ(layout.item_bytes, 2U);
  std::string items(layout.data_bytes, 'x');
  npy_fill_items(tensor, layout, std::as_writable_bytes(std::span(items)));
  EXPECT_EQ(items, std::string("ab\0\0", 4));
  EXPECT_EQ(converted(layout.header + items), data);
}

}  // namespace
}  // namespace cloister
