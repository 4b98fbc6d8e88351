#include "base/byte_writer.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include "base/byte_reader.h"

namespace cloister {
namespace {

TEST(ByteWriter, AppendsBytesAsTheyAre) {
  ByteWriter writer;
  writer.bytes(bytes_of("ab"));
  writer.u8(0x63);
  EXPECT_EQ(writer.size(), 3U);
  EXPECT_EQ(text_of(writer.view()), "abc");
  EXPECT_EQ(std::move(writer).take().size(), 3U);
}

RC_GTEST_PROP(ByteWriter, WritesWhatByteReaderReads,
              (std::uint16_t small, std::uint32_t middle, std::uint64_t large)) {
  ByteWriter writer;
  writer.u16_le(small);
  writer.u16_be(small);
  writer.u32_le(middle);
  writer.u32_be(middle);
  writer.u64_le(large);
  writer.u64_be(large);
  ByteReader reader(writer.view());
  RC_ASSERT(reader.u16_le().value() == small);
  RC_ASSERT(reader.u16_be().value() == small);
  RC_ASSERT(reader.u32_le().value() == middle);
  RC_ASSERT(reader.u32_be().value() == middle);
  RC_ASSERT(reader.u64_le().value() == large);
  RC_ASSERT(reader.u64_be().value() == large);
  RC_ASSERT(reader.empty());
}

}  // namespace
}  // namespace cloister
