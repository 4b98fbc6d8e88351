#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <functional>
#include <map>
#include <random>
#include <set>

#include "base/check.h"
#include "base/posix/posix_files.h"
#include "vault/tool.h"

namespace cloister {

struct DetailForTest {
  static const std::string& read(const Error& error) { return error.detail.reveal(DetailToken()); }
};

namespace {

namespace fs = std::filesystem;

constexpr std::uint64_t kSmallVersions = 48;
constexpr std::uint64_t kLargeVersions = 3;
constexpr std::size_t kMiB = 1U << 20;
constexpr std::size_t kLargeBytes = 12 * kMiB;

ByteVector read_file(const fs::path& path) {
  std::ifstream in(path, std::ios::binary);
  const std::string text((std::istreambuf_iterator<char>(in)), std::istreambuf_iterator<char>());
  return copy_of(bytes_of(text));
}

void write_file(const fs::path& path, Bytes content) {
  std::error_code ignored;
  fs::remove_all(path, ignored);
  std::ofstream out(path, std::ios::binary);
  out.write(text_of(content).data(), static_cast<std::streamsize>(content.size()));
  CLOISTER_CHECK(out.good());
}

/// One way to damage a store: does it, and returns the paths that are no longer as they were.
using Damage = std::function<std::set<std::string>()>;

class Tampering {
 public:
  Tampering(const fs::path& folder, std::uint64_t seed) : folder_(folder), random_(seed) {
    make(folder_ / "main", 0);
    make(folder_ / "other", 1);
    files_ = open_posix_files((folder_ / "main").string(), IfAbsent::fail).value();
    pristine_ = read_all("main");
    other_ = read_all("other");
    for (const auto& [path, content] : pristine_) {
      paths_.push_back(path);
      (path.starts_with("versions/") ? versions_ : core_).push_back(path);
      if (path.starts_with("versions/") && content.size() > kLargeBytes) large_.push_back(path);
    }
    learn_files();
  }

  bool run(std::uint64_t count, std::string_view only) {
    const std::vector<std::pair<const char*, Damage>> classes = {
        {"flipped byte", [this] { return flip(); }},
        {"truncated", [this] { return truncate(); }},
        {"extended", [this] { return extend(); }},
        {"chunks swapped within a file", [this] { return swap_chunks(false); }},
        {"chunks swapped between files", [this] { return swap_chunks(true); }},
        {"versions swapped", [this] { return swap_versions(); }},
        {"file of another store", [this] { return foreign(); }},
        {"older snapshot of a file", [this] { return older(); }},
        {"link", [this] { return link(); }},
        {"deleted files", [this] { return remove(); }},
        {"extra files", [this] { return extra(); }},
    };
    // Large files are slow to open: the classes that need them get their thousand and no more.
    for (const auto& [name, damage] : classes) {
      if (!only.empty() && only != name) continue;
      rolled_back_ = std::string_view(name) == "older snapshot of a file";
      const bool large = std::string_view(name).starts_with("chunks");
      const bool few = large || rolled_back_;
      const std::uint64_t times = few ? std::min<std::uint64_t>(count, 1000) : count;
      for (std::uint64_t i = 0; i < times; ++i) one(name, damage);
      say(std::string(name) + ": " + std::to_string(times) + " tried, " +
          std::to_string(refusals_) + " refused at the start, " + std::to_string(damaged_) +
          " versions refused, " + std::to_string(served_) + " others served");
      refusals_ = damaged_ = served_ = 0;
    }
    say("wrong: " + std::to_string(wrong_));
    return wrong_ == 0;
  }

 private:
  void make(const fs::path& folder, std::uint64_t first) {
    fs::create_directories(folder);
    const auto files = open_posix_files(folder.string(), IfAbsent::create).value();
    auto vault = open_store(*files, true).value();
    for (std::uint64_t i = 1; i <= kSmallVersions + kLargeVersions; ++i) {
      const std::size_t bytes = i > kSmallVersions ? kLargeBytes : 256 + (i + first) * 13;
      const SampleModel sample = sample_of(i, bytes);
      auto staged = vault->stage(record_of(i, sample), sample.model());
      CLOISTER_CHECK(staged.ok() && vault->commit(std::move(staged).value()).ok());
      if (first == 0 && i == kSmallVersions + kLargeVersions - 3) keep_catalogue(folder);
    }
  }
  /// What an attacker keeps of an earlier time.
  void keep_catalogue(const fs::path& folder) {
    for (const auto& entry : fs::directory_iterator(folder / "catalogue")) {
      older_["catalogue/" + entry.path().filename().string()] = read_file(entry.path());
    }
  }
  std::map<std::string, ByteVector> read_all(const char* name) const {
    std::map<std::string, ByteVector> all;
    for (const auto& entry : fs::recursive_directory_iterator(folder_ / name)) {
      if (!entry.is_regular_file() || entry.path().filename() == "lock") continue;
      all[fs::relative(entry.path(), folder_ / name).string()] = read_file(entry.path());
    }
    return all;
  }
  /// Finds which file holds which version, by taking each away once.
  void learn_files() {
    for (const std::string& path : versions_) {
      fs::rename(at(path), folder_ / "aside");
      const auto vault = open_store(*files_, false).value();
      for (const VersionRecord& record : vault->versions()) {
        if (vault->find(record.ref) && record.stored_bytes == pristine_.at(path).size() &&
            !vault->open_version(record.ref).ok()) {
          numbers_[path] = record.ref.version.value;
        }
      }
      fs::rename(folder_ / "aside", at(path));
      CLOISTER_CHECK(numbers_.contains(path));
    }
  }

  fs::path at(const std::string& path) const { return folder_ / "main" / path; }
  std::size_t below(std::size_t bound) { return random_() % bound; }
  const std::string& any(const std::vector<std::string>& list) { return list[below(list.size())]; }

  void one(const char* name, const Damage& damage) {
    const std::set<std::string> touched = damage();
    const bool core = std::ranges::any_of(touched, [](const std::string& path) {
      return path == "store" || path.starts_with("catalogue/");
    });
    judge(name, touched, core);
    for (const std::string& path : touched) restore(path);
    for (const std::string& path : extras_) {
      std::error_code ignored;
      fs::remove_all(at(path), ignored);
    }
    extras_.clear();
  }

  void judge(const char* name, const std::set<std::string>& touched, bool core) {
    const auto opened = open_store(*files_, false);
    if (!opened.ok()) {
      ++refusals_;
      const Code code = opened.error().code;
      const bool clear = core && (code == Code::corrupt || code == Code::not_found) &&
                         !DetailForTest::read(opened.error()).empty();
      if (!clear) blame(name, "refused wrongly", touched, opened.error().where.text);
      return;
    }
    if (core && !rolled_back_) blame(name, "opened", touched, "");
    std::set<std::uint64_t> hurt;
    for (const std::string& path : touched) {
      if (const auto number = numbers_.find(path); number != numbers_.end()) {
        hurt.insert(number->second);
      }
    }
    for (const std::uint64_t number : hurt) expect_refused(*opened.value(), name, number, touched);
    for (int i = 0; i < 2; ++i) {
      const std::uint64_t number = 1 + below(kSmallVersions);
      if (!hurt.contains(number)) expect_served(*opened.value(), name, number, touched);
    }
  }
  void expect_refused(const Vault& vault, const char* name, std::uint64_t number,
                      const std::set<std::string>& touched) {
    const auto version = vault.open_version({{{"owner"}, "model"}, {number}});
    if (version.ok() || version.error().code != Code::corrupt ||
        DetailForTest::read(version.error()).find("version " + std::to_string(number) + ":") ==
            std::string::npos) {
      blame(name, "not refused", touched, version.ok() ? "" : version.error().where.text);
    }
    ++damaged_;
  }
  void expect_served(const Vault& vault, const char* name, std::uint64_t number,
                     const std::set<std::string>& touched) {
    const auto version = vault.open_version({{{"owner"}, "model"}, {number}});
    const SampleModel sample = sample_of(number, 256 + number * 13);
    if (!version.ok() || !equal_in_constant_time(version.value().weights.bytes(),
                                                 sample.weights())) {
      blame(name, "not served", touched, version.ok() ? "" : version.error().where.text);
    }
    ++served_;
  }
  void blame(const char* name, const char* what, const std::set<std::string>& touched,
             const char* where) {
    ++wrong_;
    say(std::string("WRONG ") + name + ": " + what + " " + *touched.begin() + " " + where);
  }
  void restore(const std::string& path) {
    if (const auto content = pristine_.find(path); content != pristine_.end()) {
      write_file(at(path), content->second);
    } else {
      std::error_code ignored;
      fs::remove_all(at(path), ignored);
    }
  }

  /// Any file; seldom a large one, which is slow to open, and often one that holds the rest up.
  std::string any_file() {
    std::string path = below(4) == 0 ? any(core_) : any(paths_);
    while (pristine_[path].size() > kMiB && below(50) != 0) path = any(paths_);
    return path;
  }
  std::set<std::string> flip() {
    const std::string path = any_file();
    ByteVector content = pristine_[path];
    content[below(content.size())] ^= static_cast<std::byte>(1 + below(255));
    write_file(at(path), content);
    return {path};
  }
  std::set<std::string> truncate() {
    const std::string path = any_file();
    const std::size_t size = pristine_[path].size();
    const bool border = size > kMiB && below(2) == 0;
    const std::size_t kept = border ? below(size / kMiB) * kMiB : below(size);
    write_file(at(path), Bytes(pristine_[path]).first(kept));
    return {path};
  }
  std::set<std::string> extend() {
    const std::string path = any_file();
    ByteVector content = pristine_[path];
    content.resize(content.size() + 1 + below(5000), static_cast<std::byte>(below(256)));
    write_file(at(path), content);
    return {path};
  }
  std::set<std::string> swap_chunks(bool between) {
    const std::string a = any(large_);
    std::string b = a;
    while (between && b == a) b = any(large_);
    const auto place = [this](const std::string& path, std::size_t chunk) {
      return pristine_[path].size() - kLargeBytes + chunk * kMiB;
    };
    std::size_t from = below(kLargeBytes / kMiB);
    std::size_t to = below(kLargeBytes / kMiB);
    while (!between && from == to) to = below(kLargeBytes / kMiB);
    ByteVector first = pristine_[a];
    ByteVector second = pristine_[b];
    ByteVector& target = between ? second : first;
    std::swap_ranges(first.begin() + static_cast<std::ptrdiff_t>(place(a, from)),
                     first.begin() + static_cast<std::ptrdiff_t>(place(a, from) + kMiB),
                     target.begin() + static_cast<std::ptrdiff_t>(place(b, to)));
    write_file(at(a), first);
    if (between) write_file(at(b), second);
    return {a, b};
  }
  std::set<std::string> swap_versions() {
    const std::string a = any(versions_);
    std::string b = a;
    while (b == a || pristine_[b].size() > kMiB) b = any(versions_);
    fs::rename(at(a), folder_ / "aside");
    fs::rename(at(b), at(a));
    fs::rename(folder_ / "aside", at(b));
    return {a, b};
  }
  std::set<std::string> foreign() {
    // The other store has the same root secret, so that only its own identity tells it apart.
    const std::string path = any(paths_);
    auto theirs = other_.lower_bound(path.substr(0, path.find('/')));
    std::advance(theirs, static_cast<std::ptrdiff_t>(below(other_.size())) %
                             std::distance(theirs, other_.end()));
    write_file(at(path), theirs->second);
    return {path};
  }
  std::set<std::string> older() {
    // An old catalogue file beside or instead of newer ones. Taking the newest files away is an
    // older store as a whole, which the files cannot show: it opens, as it was then.
    std::set<std::string> touched;
    for (const auto& [path, content] : older_) {
      if (below(2) == 0) continue;
      write_file(at(path), content);
      touched.insert(path);
    }
    for (const std::string& path : paths_) {
      if (!path.starts_with("catalogue/") || below(3) != 0) continue;
      fs::remove(at(path));
      touched.insert(path);
    }
    if (touched.empty()) touched.insert("store");
    return touched;
  }
  std::set<std::string> link() {
    const std::string path = any(paths_);
    const std::string target = any(paths_);
    const auto kind = below(3);
    fs::remove(at(path));
    write_file(folder_ / "copy", pristine_[kind == 0 ? path : target]);
    if (kind < 2) fs::create_symlink(folder_ / "copy", at(path));
    if (kind == 2) fs::create_directory(at(path));
    return {path};
  }
  std::set<std::string> remove() {
    std::set<std::string> touched;
    const std::size_t count = 1 + below(4);
    while (touched.size() < count) {
      const std::string& path = any(paths_);
      if (path == newest_catalogue()) continue;  // that is a rollback, not a damaged store
      touched.insert(path);
    }
    for (const std::string& path : touched) fs::remove(at(path));
    return touched;
  }
  std::string newest_catalogue() const {
    return *std::ranges::max_element(paths_, {}, [](const std::string& path) {
      return path.starts_with("catalogue/") ? path : std::string();
    });
  }
  std::set<std::string> extra() {
    const std::string folders[] = {"", "versions/", "staging/", "catalogue/"};
    const std::size_t count = 1 + below(5);
    for (std::size_t i = 0; i < count; ++i) {
      const std::string name = folders[below(4)] + "x" + std::to_string(random_());
      write_file(at(name), ByteVector(below(3000)));
      extras_.insert(name);
    }
    return {};
  }

  fs::path folder_;
  std::mt19937_64 random_;
  std::unique_ptr<Files> files_;
  std::map<std::string, ByteVector> pristine_;
  std::map<std::string, ByteVector> other_;
  std::map<std::string, ByteVector> older_;
  std::map<std::string, std::uint64_t> numbers_;
  std::vector<std::string> paths_;
  std::vector<std::string> core_;  ///< the store's file and its catalogue
  std::vector<std::string> versions_;
  std::vector<std::string> large_;
  std::set<std::string> extras_;
  bool rolled_back_ = false;  ///< whether the class may open as an older store
  std::uint64_t refusals_ = 0;
  std::uint64_t damaged_ = 0;
  std::uint64_t served_ = 0;
  std::uint64_t wrong_ = 0;
};

}  // namespace

int tamper(const std::string& folder, std::uint64_t count, std::uint64_t seed,
           const std::string& only) {
  return Tampering(folder, seed).run(count, only) ? 0 : 1;
}

}  // namespace cloister
