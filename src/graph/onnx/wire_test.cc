#include "graph/onnx/wire.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <string>

namespace cloister {
namespace {

Bytes view(const std::string& text) { return bytes_of(text); }

TEST(TakeVarint, RefusesWhatIsCutPaddedOrTooLong) {
  const std::string ten(9, '\xff');
  for (const std::string& text :
       {std::string(), std::string("\x80"), std::string("\x80\x00", 2), std::string("\x81\x00", 2),
        ten + "\x02", std::string(10, '\xff'), std::string(10, '\x80') + "\x01"}) {
    Bytes rest = view(text);
    EXPECT_FALSE(take_varint(rest).has_value()) << text.size();
    EXPECT_EQ(rest.size(), text.size());
  }
}

RC_GTEST_PROP(WireWriter, WritesVarintsThatReadBack, (std::uint64_t value)) {
  WireWriter counting;
  counting.varint(3, value);
  WireWriter writing(std::move(counting));
  writing.varint(3, value);
  const ByteVector bytes = std::move(writing).take();
  WireFault fault(bytes);
  WireReader reader(fault, bytes);
  RC_ASSERT(reader.next());
  RC_ASSERT(reader.number() == 3U && reader.varint() == value);
  RC_ASSERT(!reader.next() && !fault.raised());
}

TEST(WireReader, StopsAtTheFirstFaultAndSaysWhere) {
  const std::string text("\x08\x01\x12\x05"
                         "ab",
                         6);
  WireFault fault(view(text));
  WireReader reader(fault, view(text));
  EXPECT_TRUE(reader.next());
  EXPECT_FALSE(reader.next());
  EXPECT_STREQ(fault.rule(), "wire-length");
  EXPECT_EQ(fault.offset(), 2U);
  EXPECT_FALSE(reader.next());
}

TEST(WireReader, RefusesASecondValueOfASingleField) {
  const std::string text("\x08\x01\x08\x02", 4);
  WireFault fault(view(text));
  WireReader reader(fault, view(text));
  EXPECT_TRUE(reader.next());
  reader.once();
  EXPECT_TRUE(reader.next());
  reader.once();
  EXPECT_STREQ(fault.rule(), "wire-duplicate-field");
}

TEST(WireWriter, CountsLengthsOfNestedFieldsBeforeItWritesThem) {
  const auto write = [](WireWriter& out) {
    out.open(1);
    out.text(2, std::string(200, 'a'));
    out.open(3);
    out.raw_little(0x0102, 2);
    out.close();
    out.close();
  };
  WireWriter counting;
  write(counting);
  const std::uint64_t size = counting.size();
  WireWriter writing(std::move(counting));
  write(writing);
  const ByteVector bytes = std::move(writing).take();
  ASSERT_EQ(bytes.size(), size);
  WireFault fault(bytes);
  WireReader outer(fault, bytes);
  ASSERT_TRUE(outer.next());
  WireReader inner(fault, outer.bytes());
  EXPECT_FALSE(outer.next());
  ASSERT_TRUE(inner.next());
  EXPECT_EQ(inner.bytes().size(), 200U);
  ASSERT_TRUE(inner.next());
  EXPECT_EQ(text_of(inner.bytes()), std::string_view("\x02\x01", 2));
}

TEST(IsNameText, TakesUtf8AloneAndNoNul) {
  for (const char* text : {"", "conv1/weight:0", "\xc3\xa9", "\xe2\x82\xac", "\xf0\x9f\x98\x80"}) {
    EXPECT_TRUE(is_name_text(text)) << text;
  }
  for (const std::string& text :
       {std::string("\0", 1), std::string("\x80"), std::string("\xc3"), std::string("\xc0\x80"),
        std::string("\xe0\x80\x80"), std::string("\xed\xa0\x80"), std::string("\xf4\x90\x80\x80"),
        std::string("\xf8\x88\x80\x80\x80")}) {
    EXPECT_FALSE(is_name_text(text));
  }
}

}  // namespace
}  // namespace cloister
