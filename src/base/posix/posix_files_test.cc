#include "base/posix/posix_files.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <limits>

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

namespace cloister {
namespace {

namespace fs = std::filesystem;

class PosixFilesTest : public ::testing::Test {
 protected:
  PosixFilesTest() {
    std::string pattern = (fs::temp_directory_path() / "cloister-files-XXXXXX").string();
    root_ = ::mkdtemp(pattern.data());
    files_ = open_posix_files(root_.string(), IfAbsent::fail).value();
  }
  ~PosixFilesTest() override { fs::remove_all(root_); }

  Code code_of_open(const std::string& path) {
    const auto file = files_->open_for_reading(path);
    return file.ok() ? Code::internal : file.error().code;
  }
  void write(const std::string& path, std::string_view text) {
    auto file = files_->create(path);
    ASSERT_TRUE(file.ok());
    ASSERT_TRUE(file.value()->write_at(0, bytes_of(text)).ok());
    ASSERT_TRUE(file.value()->sync().ok());
  }
  std::string read(const std::string& path) {
    auto file = files_->open_for_reading(path).value();
    ByteVector bytes(file->size().value());
    EXPECT_TRUE(file->read_at(0, bytes).ok());
    return std::string(text_of(bytes));
  }

  fs::path root_;
  std::unique_ptr<Files> files_;
};

TEST_F(PosixFilesTest, ReadsTheSameFromTheDiskAsFromThePageCacheAndNothingPastTheEnd) {
  constexpr std::size_t kMiB = 1U << 20;
  std::string text(2 * kMiB + 4097, 'a');
  for (std::size_t i = 0; i < text.size(); i += 4096) text[i] = static_cast<char>('b' + i % 23);
  write("large", text);
  void* pages = ::mmap(nullptr, 4 * kMiB, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1,
                       0);
  ASSERT_NE(pages, MAP_FAILED);
  const MutableBytes memory(static_cast<std::byte*>(pages), 4 * kMiB);
  for (const bool cached : {true, false}) {
    for (const std::size_t unaligned : {0, 1}) {
      const int raw = ::open((root_ / "large").c_str(), O_RDONLY);
      ASSERT_GE(raw, 0);
      ASSERT_EQ(::posix_fadvise(raw, 0, 0, cached ? POSIX_FADV_WILLNEED : POSIX_FADV_DONTNEED), 0);
      ::close(raw);
      const auto file = files_->open_for_reading("large").value();
      const MutableBytes all = memory.subspan(unaligned, text.size());
      for (std::size_t at = 0; at < all.size(); at += kMiB) {
        const std::size_t size = std::min(kMiB, all.size() - at);
        ASSERT_TRUE(file->read_at(at, all.subspan(at, size)).ok());
      }
      EXPECT_TRUE(text_of(all) == text);
      EXPECT_EQ(file->read_at(2 * kMiB, memory.first(kMiB)).error().code, Code::corrupt);
    }
  }
  ::munmap(pages, 4 * kMiB);
}

TEST_F(PosixFilesTest, RefusesPathsThatCouldLeaveTheFolder) {
  for (const char* path : {"", "/", "/etc/passwd", "..", "../x", "a/../../x", ".", "./x", "a//b",
                           "a/", "1/2/3/4/5/6/7/8/9/10/11/12/13/14/15/16/17"}) {
    EXPECT_EQ(code_of_open(path), Code::invalid) << path;
    EXPECT_EQ(files_->create(path).error().code, Code::invalid) << path;
    EXPECT_EQ(files_->remove(path).error().code, Code::invalid) << path;
  }
  EXPECT_EQ(code_of_open(std::string("a\0b", 3)), Code::invalid);
}

TEST_F(PosixFilesTest, FollowsNoLink) {
  write("plain", "x");
  fs::create_directory(root_ / "real");
  fs::create_symlink("plain", root_ / "link");
  fs::create_symlink("real", root_ / "folder-link");
  fs::create_symlink("absent", root_ / "dangling");
  EXPECT_EQ(code_of_open("link"), Code::corrupt);
  EXPECT_EQ(code_of_open("folder-link/x"), Code::corrupt);
  EXPECT_EQ(files_->create("dangling").error().code, Code::conflict);
  EXPECT_EQ(files_->lock("dangling").error().code, Code::corrupt);
  EXPECT_EQ(files_->make_folder("folder-link").error().code, Code::corrupt);
  EXPECT_EQ(files_->list("folder-link").error().code, Code::corrupt);
  EXPECT_FALSE(fs::exists(root_ / "absent"));
}

TEST_F(PosixFilesTest, RefusesWhatIsNoRegularFileWithoutWaitingForIt) {
  ASSERT_EQ(::mkfifo((root_ / "fifo").c_str(), 0600), 0);
  fs::create_directory(root_ / "folder");
  EXPECT_EQ(code_of_open("fifo"), Code::corrupt);
  EXPECT_EQ(code_of_open("folder"), Code::corrupt);
  EXPECT_EQ(files_->lock("fifo").error().code, Code::corrupt);
}

TEST_F(PosixFilesTest, TellsAbsentFromOccupied) {
  write("here", "x");
  EXPECT_EQ(code_of_open("absent"), Code::not_found);
  EXPECT_EQ(code_of_open("absent/below"), Code::not_found);
  EXPECT_EQ(code_of_open("here/below"), Code::corrupt);
  EXPECT_EQ(files_->create("here").error().code, Code::conflict);
  EXPECT_EQ(files_->remove("absent").error().code, Code::not_found);
  EXPECT_EQ(files_->rename("absent", "here").error().code, Code::not_found);
  EXPECT_EQ(files_->list("absent").error().code, Code::not_found);
  EXPECT_EQ(read("here"), "x");
}

TEST_F(PosixFilesTest, RefusesReadingPastTheEnd) {
  write("short", "abc");
  auto file = files_->open_for_reading("short").value();
  ByteVector bytes(4);
  EXPECT_EQ(file->read_at(0, bytes).error().code, Code::corrupt);
  EXPECT_EQ(file->read_at(std::numeric_limits<std::uint64_t>::max(), bytes).error().code,
            Code::io);
  EXPECT_TRUE(file->read_at(3, {}).ok());
}

TEST_F(PosixFilesTest, RefusesWritingToWhatWasOpenedForReading) {
  write("plain", "abc");
  auto file = files_->open_for_reading("plain").value();
  EXPECT_EQ(file->write_at(0, bytes_of("x")).error().code, Code::io);
  EXPECT_EQ(read("plain"), "abc");
}

TEST_F(PosixFilesTest, HoldsALockUntilItIsDropped) {
  auto first = files_->lock("lock");
  ASSERT_TRUE(first.ok());
  auto other = open_posix_files(root_.string(), IfAbsent::fail).value();
  EXPECT_EQ(other->lock("lock").error().code, Code::conflict);
  first.value().reset();
  EXPECT_TRUE(other->lock("lock").ok());
}

TEST_F(PosixFilesTest, WritesReadsAndReplaces) {
  ASSERT_TRUE(files_->make_folder("models").ok());
  ASSERT_TRUE(files_->make_folder("models").ok());
  write("models/new", "second");
  write("models/kept", "first");
  ASSERT_TRUE(files_->rename("models/new", "models/kept").ok());
  ASSERT_TRUE(files_->sync_folder("models").ok());
  ASSERT_TRUE(files_->sync_folder("").ok());
  EXPECT_EQ(read("models/kept"), "second");
  EXPECT_EQ(files_->list("models").value().size(), 1U);
  ASSERT_TRUE(files_->remove("models/kept").ok());
  EXPECT_TRUE(files_->list("models").value().empty());
}

TEST_F(PosixFilesTest, WritesBeyondTheEndAndReadsBackZeros) {
  auto file = files_->create("sparse").value();
  ASSERT_TRUE(file->write_at(2, bytes_of("x")).ok());
  EXPECT_EQ(file->size().value(), 3U);
  ByteVector bytes(3);
  ASSERT_TRUE(file->read_at(0, bytes).ok());
  EXPECT_EQ(text_of(bytes), std::string_view("\0\0x", 3));
}

TEST_F(PosixFilesTest, KeepsOthersOut) {
  write("plain", "x");
  ASSERT_TRUE(files_->make_folder("folder").ok());
  EXPECT_EQ(fs::status(root_ / "plain").permissions() & fs::perms(077), fs::perms::none);
  EXPECT_EQ(fs::status(root_ / "folder").permissions() & fs::perms(077), fs::perms::none);
}

TEST_F(PosixFilesTest, ListsKindsWithoutFollowingLinks) {
  write("plain", "x");
  fs::create_directory(root_ / "folder");
  fs::create_symlink("folder", root_ / "link");
  ASSERT_EQ(::mkfifo((root_ / "fifo").c_str(), 0600), 0);
  auto entries = files_->list("").value();
  std::sort(entries.begin(), entries.end(),
            [](const FolderEntry& a, const FolderEntry& b) { return a.name < b.name; });
  ASSERT_EQ(entries.size(), 4U);
  EXPECT_EQ(entries[0].kind, FileKind::other);
  EXPECT_EQ(entries[1].kind, FileKind::folder);
  EXPECT_EQ(entries[2].kind, FileKind::link);
  EXPECT_EQ(entries[3].kind, FileKind::regular);
}

TEST(OpenPosixFiles, RefusesAnAbsentFolderUnlessAskedToMakeIt) {
  std::string pattern = (fs::temp_directory_path() / "cloister-root-XXXXXX").string();
  const fs::path parent = ::mkdtemp(pattern.data());
  const std::string folder = (parent / "store").string();
  EXPECT_EQ(open_posix_files(folder, IfAbsent::fail).error().code, Code::not_found);
  EXPECT_TRUE(open_posix_files(folder, IfAbsent::create).ok());
  EXPECT_TRUE(open_posix_files(folder, IfAbsent::create).ok());
  std::ofstream(parent / "file") << "x";
  EXPECT_EQ(open_posix_files((parent / "file").string(), IfAbsent::create).error().code,
            Code::corrupt);
  fs::remove_all(parent);
}

}  // namespace
}  // namespace cloister
