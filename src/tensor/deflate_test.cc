#include "tensor/deflate.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

namespace cloister {
namespace {

constexpr DeflateForm kForms[] = {DeflateForm::raw, DeflateForm::zlib, DeflateForm::gzip};
constexpr std::byte kUntouched{0xA5};
constexpr std::size_t kGuard = 64;

std::string deflated(const std::string& text, DeflateForm form) {
  std::string room(deflate_bound(text.size()), '\0');
  const auto size = deflate_into(bytes_of(text), form, std::as_writable_bytes(std::span(room)));
  EXPECT_TRUE(size.ok());
  room.resize(size.value());
  return room;
}

/// What inflating yields in `room` bytes, before which and behind which nothing may be written.
Result<std::string> inflated(const std::string& stream, DeflateForm form, std::size_t room) {
  std::vector<std::byte> memory(kGuard + room + kGuard, kUntouched);
  const MutableBytes destination = MutableBytes(memory).subspan(kGuard, room);
  const auto size = inflate_up_to(bytes_of(stream), form, destination);
  const auto is_untouched = [](std::byte one) { return one == kUntouched; };
  EXPECT_TRUE(std::ranges::all_of(Bytes(memory).first(kGuard), is_untouched));
  EXPECT_TRUE(std::ranges::all_of(Bytes(memory).last(kGuard), is_untouched));
  if (!size.ok()) return size.error();
  EXPECT_LE(size.value(), room);
  return std::string(text_of(Bytes(destination).first(size.value())));
}

Code refusal(const std::string& stream, DeflateForm form, std::size_t room) {
  const auto text = inflated(stream, form, room);
  return text.ok() ? Code::internal : text.error().code;
}

/// Compressible, with matches of many lengths, and some bytes that are not.
std::string sample(std::size_t size) {
  std::string text;
  std::uint32_t state = 1;
  while (text.size() < size) {
    state = state * 1'664'525 + 1'013'904'223;
    text.append(1 + (state >> 28), static_cast<char>(state >> 16));
    text += "abcdefghijklm";
  }
  text.resize(size);
  return text;
}

TEST(Deflate, ComesBackInEveryForm) {
  for (const DeflateForm form : kForms) {
    for (const std::size_t size : {0U, 1U, 255U, 65'536U, 1'000'000U}) {
      const std::string text = sample(size);
      const std::string stream = deflated(text, form);
      EXPECT_EQ(inflated(stream, form, size).value(), text) << size;
      EXPECT_EQ(inflated(stream, form, size + 1000).value(), text) << size;
    }
  }
}

TEST(Deflate, FitsIntoItsBoundWhenNothingGetsShorter) {
  std::string noise;
  std::uint32_t state = 1;
  for (std::size_t i = 0; i < 300'000; ++i) {
    state = state * 1'664'525 + 1'013'904'223;
    noise += static_cast<char>(state >> 24);
  }
  for (const DeflateForm form : kForms) {
    EXPECT_EQ(inflated(deflated(noise, form), form, noise.size()).value(), noise);
  }
}

TEST(Deflate, RefusesADestinationThatIsTooShort) {
  const std::string text = sample(5000);
  for (const DeflateForm form : kForms) {
    const std::size_t size = deflated(text, form).size();
    for (const std::size_t room : {std::size_t{0}, std::size_t{1}, size / 2, size - 1}) {
      std::vector<std::byte> memory(room + kGuard, kUntouched);
      const auto written = deflate_into(bytes_of(text), form, MutableBytes(memory).first(room));
      ASSERT_FALSE(written.ok()) << room;
      EXPECT_EQ(written.error().code, Code::too_large);
      EXPECT_EQ(std::ranges::count(Bytes(memory).last(kGuard), kUntouched), std::ptrdiff_t{kGuard});
    }
  }
}

TEST(Inflate, IsTooLargeWhenTheRoomIsOneByteShort) {
  for (const DeflateForm form : kForms) {
    for (const std::size_t size : {1U, 300U, 100'000U}) {
      const std::string stream = deflated(sample(size), form);
      EXPECT_EQ(refusal(stream, form, size - 1), Code::too_large) << size;
      EXPECT_EQ(refusal(stream, form, 0), Code::too_large) << size;
    }
  }
}

TEST(Inflate, RefusesInputLeftOver) {
  for (const DeflateForm form : kForms) {
    const std::string stream = deflated(sample(300), form);
    EXPECT_EQ(refusal(stream + "x", form, 1000), Code::invalid);
    EXPECT_EQ(refusal(stream + std::string(20, '\0'), form, 1000), Code::invalid);
    EXPECT_EQ(refusal(stream + stream, form, 1000), Code::invalid);  // of gzip: two members
  }
}

TEST(Inflate, RefusesEveryCutAndNoInputAtAll) {
  for (const DeflateForm form : kForms) {
    const std::string stream = deflated(sample(300), form);
    for (std::size_t size = 0; size < stream.size(); ++size) {
      EXPECT_EQ(refusal(stream.substr(0, size), form, 1000), Code::invalid) << size;
    }
    EXPECT_EQ(inflate_up_to({}, form, {}).error().code, Code::invalid);
  }
}

TEST(Inflate, StaysInTheRoomWhateverByteIsFlipped) {
  const std::string text = sample(300);
  for (const DeflateForm form : kForms) {
    const std::string stream = deflated(text, form);
    for (std::size_t i = 0; i < stream.size(); ++i) {
      for (unsigned flip = 1; flip < 256; ++flip) {
        std::string damaged = stream;
        damaged[i] = static_cast<char>(static_cast<unsigned char>(damaged[i]) ^ flip);
        for (const std::size_t room : {std::size_t{0}, text.size() / 2, text.size()}) {
          const auto result = inflated(damaged, form, room);
          if (!result.ok() || form == DeflateForm::raw) continue;
          EXPECT_EQ(result.value(), text) << i;  // what no checksum covers may change
        }
      }
    }
  }
}

TEST(Inflate, RefusesWrongChecksums) {
  for (const auto& [form, trailer] : {std::pair(DeflateForm::zlib, 4), {DeflateForm::gzip, 8}}) {
    const std::string stream = deflated(sample(300), form);
    for (int i = 1; i <= trailer; ++i) {
      std::string damaged = stream;
      char& one = damaged[damaged.size() - static_cast<std::size_t>(i)];
      one = static_cast<char>(one ^ 1);
      EXPECT_EQ(refusal(damaged, form, 1000), Code::invalid) << i;
    }
  }
}

TEST(Inflate, ChecksTheChecksumOfAGzipHeader) {
  const std::string text = sample(300);
  const std::string plain = deflated(text, DeflateForm::gzip);
  // All optional fields: the checksum, two bytes more, a name, a comment.
  std::string header = plain.substr(0, 10) + std::string("\2\0ab", 4) + std::string("n\0", 2) +
                       std::string("of us\0", 6);
  header[3] = 0x1E;
  const std::uint32_t crc = crc32_of(bytes_of(header));
  for (const unsigned flip : {0U, 1U, 0x8000U}) {
    const std::uint32_t said = crc ^ flip;
    const std::string checksum = {static_cast<char>(said), static_cast<char>(said >> 8)};
    const auto result = inflated(header + checksum + plain.substr(10), DeflateForm::gzip, 1000);
    ASSERT_EQ(result.ok(), flip == 0);
    EXPECT_EQ(result.ok() ? result.value() : text, text);
  }
}

TEST(InflateExactly, TakesNothingButTheExactSize) {
  const std::string text = sample(300);
  const std::string stream = deflated(text, DeflateForm::raw);
  std::vector<std::byte> memory(text.size() + 1);
  const MutableBytes room(memory);
  EXPECT_TRUE(inflate_exactly(bytes_of(stream), room.first(text.size())).ok());
  EXPECT_EQ(text_of(room.first(text.size())), text);
  for (const std::size_t size : {std::size_t{0}, text.size() - 1, text.size() + 1}) {
    EXPECT_EQ(inflate_exactly(bytes_of(stream), room.first(size)).error().code, Code::invalid);
  }
  EXPECT_TRUE(inflate_exactly(bytes_of(deflated("", DeflateForm::raw)), {}).ok());
}

TEST(Crc32, IsTheKnownOneAtOnceAndInPieces) {
  EXPECT_EQ(crc32_of(bytes_of("123456789")), 0xCBF43926U);
  EXPECT_EQ(crc32_of({}), 0U);
  const std::string text = sample(3000);
  const std::uint32_t whole = crc32_of(bytes_of(text));
  for (const std::size_t first : {0U, 1U, 15U, 64U, 1777U, 3000U}) {
    const Bytes bytes = bytes_of(text);
    EXPECT_EQ(crc32_of(bytes.subspan(first), crc32_of(bytes.first(first))), whole) << first;
  }
}

}  // namespace
}  // namespace cloister
