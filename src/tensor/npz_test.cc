#include "tensor/npz.h"

#include <gtest/gtest.h>

#include <fstream>
#include <iterator>
#include <string>

namespace cloister {
namespace {

constexpr std::uint64_t kPlenty = 1U << 20;

std::string written(const std::vector<std::pair<std::string, std::string>>& members) {
  NpzWriter writer;
  for (const auto& [name, content] : members) {
    EXPECT_TRUE(writer.add(name, content.substr(0, 2), bytes_of(content).subspan(2)).ok());
  }
  std::string file;
  const std::vector<Bytes> pieces = writer.finish().value();
  for (const Bytes piece : pieces) file += text_of(piece);
  return file;
}

/// A seed made by Python's zipfile: tests run in the source folder.
std::string seed(const std::string& name) {
  std::ifstream file("src/tensor/seeds/npz/" + name, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

Code refusal(const std::string& file) {
  const auto members = read_npz(bytes_of(file), kPlenty);
  return members.ok() ? Code::internal : members.error().code;
}

TEST(ReadNpz, RefusesWhatIsNoWholeArchive) {
  const std::string good = written({{"a", "hello"}, {"b", "world"}});
  ASSERT_TRUE(read_npz(bytes_of(good), kPlenty).ok());
  for (std::size_t size = 0; size < good.size(); ++size) {
    EXPECT_FALSE(read_npz(bytes_of(good.substr(0, size)), kPlenty).ok()) << size;
  }
  EXPECT_EQ(refusal(good + "x"), Code::invalid);
  EXPECT_EQ(refusal("x" + good), Code::invalid);
}

TEST(ReadNpz, NeverYieldsOtherBytesWhenAByteIsFlipped) {
  const std::string good = written({{"a", "hello"}});
  for (std::size_t i = 0; i < good.size(); ++i) {
    std::string damaged = good;
    damaged[i] = static_cast<char>(damaged[i] ^ 0x55);
    const auto members = read_npz(bytes_of(damaged), kPlenty);
    if (!members.ok()) continue;
    std::vector<std::byte> memory(kPlenty);
    for (const NpzMember& member : members.value()) {
      const auto content = npz_member_bytes(member, memory);
      if (content.ok()) {
        EXPECT_EQ(text_of(content.value()), "hello") << i;
      }
    }
  }
}

TEST(ReadNpz, RefusesDuplicateNamesAndPathNames) {
  EXPECT_EQ(refusal(written({{"a", "xx"}, {"a", "yy"}})), Code::invalid);
  for (const char* name : {"", "/a", "../a", "a/../b", "./a", "a//b", "a/", "a\\b", "C:a", "\n"}) {
    EXPECT_EQ(refusal(written({{name, "xx"}})), Code::invalid) << name;
  }
}

TEST(ReadNpz, RefusesOtherMembersThanStoredAndDeflatedArrays) {
  EXPECT_EQ(refusal(seed("bzip2")), Code::unsupported);
  EXPECT_EQ(refusal(seed("encrypted")), Code::unsupported);
  EXPECT_EQ(refusal(seed("overlap")), Code::invalid);
  EXPECT_EQ(refusal(seed("no_suffix")), Code::invalid);
}

TEST(ReadNpz, RefusesWhatInflatesPastTheBound) {
  const std::string bomb = seed("bomb");
  ASSERT_FALSE(bomb.empty());
  EXPECT_EQ(read_npz(bytes_of(bomb), 1000).error().code, Code::too_large);
}

TEST(ReadNpz, ReadsWhatPythonWrites) {
  for (const char* name : {"deflated", "stored_zip64", "streamed"}) {
    const std::string file = seed(name);
    const auto members = read_npz(bytes_of(file), kPlenty);
    ASSERT_TRUE(members.ok()) << name;
    ASSERT_EQ(members.value().size(), 2U) << name;
    EXPECT_EQ(members.value()[0].name, "x");
    EXPECT_EQ(members.value()[1].name, "layer/y");
    std::vector<std::byte> memory(members.value()[0].bytes);
    const auto content = npz_member_bytes(members.value()[0], memory);
    EXPECT_EQ(text_of(content.value()).substr(0, 6), "\x93NUMPY") << name;
  }
}

TEST(NpzWriter, KeepsTheHeaderOfAnArrayWithoutElements) {
  NpzWriter writer;
  ASSERT_TRUE(writer.add("a", "header", Bytes()).ok());
  const std::vector<Bytes> pieces = writer.finish().value();
  std::string file;
  for (const Bytes piece : pieces) file += text_of(piece);
  const auto members = read_npz(bytes_of(file), 0).value();
  ASSERT_EQ(members.size(), 1U);
  EXPECT_EQ(text_of(npz_member_bytes(members[0], {}).value()), "header");
}

TEST(NpzWriter, WritesWhatReadsBack) {
  const std::string file = written({{"a", "hello"}, {"dir/b", "xx"}});
  const auto members = read_npz(bytes_of(file), 0).value();
  ASSERT_EQ(members.size(), 2U);
  EXPECT_EQ(members[1].name, "dir/b");
  EXPECT_EQ(text_of(npz_member_bytes(members[0], {}).value()), "hello");
  EXPECT_TRUE(read_npz(bytes_of(written({})), 0).value().empty());
}

}  // namespace
}  // namespace cloister
