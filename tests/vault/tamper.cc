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

constexpr std::uint64_t kSmallVersions = 52;
constexpr std::uint64_t kOlderVersions = 40;  // when an attacker copies the catalogue
constexpr std::uint64_t kLargeVersions = 3;
constexpr std::size_t kMiB = 1U << 20;
constexpr const char* kFits = "this";
constexpr std::size_t kLargeChunks = 16;
constexpr std::size_t kLargeBytes = kLargeChunks * kMiB;

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

/// Small versions of which every third has an optimised form, in a file of its own.
bool has_form(std::uint64_t number) { return number <= kSmallVersions && number % 3 == 0; }
SampleModel form_of(std::uint64_t number) { return sample_of(1000 + number, 512 + number * 11); }
VersionRef ref_of(std::uint64_t number) { return {{{"owner"}, "model"}, {number}}; }

/// What was done to a store: in words that no other damage has, and the paths that are no longer
/// as they were. `undo`, if any, takes it back quicker than writing those files anew.
struct Harm {
  std::string what;
  std::set<std::string> touched;
  std::function<void()> undo;
};

/// One class of damage, and how many different ones are tried of it at most.
struct Damage {
  const char* name;
  std::function<Harm()> make;
  std::uint64_t most;
};

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
    for (const char* kind : {"store", "catalogue/", "versions/"}) {
      smallest_.push_back(*std::ranges::min_element(paths_, {}, [&](const std::string& path) {
        return path.starts_with(kind) ? pristine_[path].size() : SIZE_MAX;
      }));
    }
    learn_files();
  }

  bool run(std::uint64_t count, std::string_view only) {
    constexpr std::uint64_t kAny = ~0ULL;
    const std::vector<Damage> classes = {
        {"flipped byte", [this] { return flip(); }, kAny},
        {"truncated", [this] { return truncate(); }, kAny},
        {"extended", [this] { return extend(); }, kAny},
        {"chunks swapped within a file", [this] { return swap_chunks(false); }, 1100},
        {"chunks swapped between files", [this] { return swap_chunks(true); }, 1100},
        {"versions swapped", [this] { return swap_versions(); }, 1100},
        {"file of another store", [this] { return foreign(); }, 2000},
        {"older snapshot of a file", [this] { return older(); }, 2000},
        {"link", [this] { return link(); }, 2000},
        {"deleted files", [this] { return remove(); }, kAny},
        {"extra files", [this] { return extra(); }, kAny},
    };
    std::uint64_t total = 0;
    for (const Damage& each : classes) {
      if (!only.empty() && only != each.name) continue;
      rolled_back_ = std::string_view(each.name) == "older snapshot of a file";
      seen_.clear();
      while (seen_.size() < std::min(count, each.most)) one(each);
      total += seen_.size();
      say(std::string(each.name) + ": " + std::to_string(seen_.size()) + " different, " +
          std::to_string(refusals_) + " refused at the start, " + std::to_string(damaged_) +
          " versions refused, " + std::to_string(served_) + " others served, " +
          std::to_string(forms_passed_over_) + " forms passed over, " +
          std::to_string(forms_served_) + " others opened");
      refusals_ = damaged_ = served_ = forms_passed_over_ = forms_served_ = 0;
    }
    say("different: " + std::to_string(total) + ", wrong: " + std::to_string(wrong_));
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
      CLOISTER_CHECK(staged.ok());
      const SampleModel form = form_of(i);
      CLOISTER_CHECK(!has_form(i) || staged.value()->add({form.model(), kFits}).ok());
      CLOISTER_CHECK(vault->commit(std::move(staged).value()).ok());
      if (first == 0 && i == kOlderVersions) keep_catalogue(folder);
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
      const bool large = pristine_.at(path).size() > kMiB;
      for (const VersionRecord& record : vault->versions()) {
        if ((record.stored_bytes > kMiB) != large) continue;
        const std::uint64_t number = record.ref.version.value;
        if (!vault->open_version(record.ref).ok()) {
          numbers_[path] = number;
        } else if (has_form(number) &&
                   !vault->open_version(record.ref, {kFits}).value().optimised) {
          forms_[path] = number;
        }
      }
      fs::rename(folder_ / "aside", at(path));
      CLOISTER_CHECK(numbers_.contains(path) != forms_.contains(path));
    }
    CLOISTER_CHECK(forms_.size() == kSmallVersions / 3);
  }

  fs::path at(const std::string& path) const { return folder_ / "main" / path; }
  std::size_t below(std::size_t bound) { return random_() % bound; }
  const std::string& any(const std::vector<std::string>& list) { return list[below(list.size())]; }

  void one(const Damage& damage) {
    const Harm done = damage.make();
    if (seen_.insert(done.what).second) {
      const bool core = std::ranges::any_of(done.touched, [](const std::string& path) {
        return path == "store" || path.starts_with("catalogue/");
      });
      judge(damage.name, done.touched, core);
    }
    if (done.undo) {
      done.undo();
    } else {
      for (const std::string& path : done.touched) restore(path);
    }
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
    const std::set<std::uint64_t> hurt = those_of(numbers_, touched);
    const std::set<std::uint64_t> formless = those_of(forms_, touched);
    for (const std::uint64_t number : hurt) expect_refused(*opened.value(), name, number, touched);
    std::set<std::uint64_t> others = formless;
    for (int i = 0; i < 2; ++i) {
      // A store that went back in time has what it had then.
      others.insert(1 + below(rolled_back_ ? kOlderVersions : kSmallVersions));
    }
    for (const std::uint64_t number : others) {
      if (hurt.contains(number)) continue;
      expect_served(*opened.value(), name, number, touched);
      // A damaged form is passed over: the version itself is served in its place.
      if (has_form(number)) {
        expect_form(*opened.value(), name, number, !formless.contains(number), touched);
      }
    }
  }
  /// The versions to which the touched ones of `files` belong.
  static std::set<std::uint64_t> those_of(const std::map<std::string, std::uint64_t>& files,
                                          const std::set<std::string>& touched) {
    std::set<std::uint64_t> those;
    for (const std::string& path : touched) {
      if (const auto number = files.find(path); number != files.end()) those.insert(number->second);
    }
    return those;
  }
  void expect_refused(const Vault& vault, const char* name, std::uint64_t number,
                      const std::set<std::string>& touched) {
    const auto version = vault.open_version(ref_of(number));
    if (version.ok() || version.error().code != Code::corrupt ||
        DetailForTest::read(version.error()).find("version " + std::to_string(number) + ":") ==
            std::string::npos) {
      blame(name, "not refused", touched, version.ok() ? "" : version.error().where.text);
    }
    ++damaged_;
  }
  void expect_served(const Vault& vault, const char* name, std::uint64_t number,
                     const std::set<std::string>& touched) {
    const auto version = vault.open_version(ref_of(number));
    const SampleModel sample = sample_of(number, 256 + number * 13);
    if (!version.ok() || !equal_in_constant_time(version.value().weights.bytes(),
                                                 sample.weights())) {
      blame(name, "not served", touched, version.ok() ? "" : version.error().where.text);
    }
    ++served_;
  }
  void expect_form(const Vault& vault, const char* name, std::uint64_t number, bool whole,
                   const std::set<std::string>& touched) {
    const auto version = vault.open_version(ref_of(number), {kFits});
    const SampleModel wanted = whole ? form_of(number) : sample_of(number, 256 + number * 13);
    if (!version.ok() || version.value().optimised != whole ||
        !equal_in_constant_time(version.value().weights.bytes(), wanted.weights())) {
      blame(name, "form not as it should be", touched,
            version.ok() ? "" : version.error().where.text);
    }
    ++(whole ? forms_served_ : forms_passed_over_);
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
  /// First every byte of the smallest file of each kind.
  Harm flip() {
    while (next_path_ < smallest_.size()) {
      const std::string& path = smallest_[next_path_];
      if (next_byte_ < pristine_[path].size()) return flip_at(path, next_byte_++, std::byte{1});
      ++next_path_;
      next_byte_ = 0;
    }
    const std::string path = any_file();
    const std::size_t place = below(pristine_[path].size());
    return flip_at(path, place, static_cast<std::byte>(1 + below(255)));
  }
  Harm flip_at(const std::string& path, std::size_t place, std::byte change) {
    ByteVector content = pristine_[path];
    content[place] ^= change;
    write_file(at(path), content);
    return {path + " " + std::to_string(place) + " " + std::to_string(std::to_integer<int>(change)),
            {path},
            {}};
  }
  /// First every chunk border of a large file, and a byte to each side of it.
  Harm truncate() {
    std::string path = any_file();
    std::size_t kept = below(pristine_[path].size());
    if (next_border_ < 3 * kLargeChunks) {
      path = large_.front();
      kept = pristine_[path].size() - kLargeBytes + next_border_ / 3 * kMiB - 1 + next_border_ % 3;
      ++next_border_;
    }
    write_file(at(path), Bytes(pristine_[path]).first(kept));
    return {path + " " + std::to_string(kept), {path}, {}};
  }
  Harm extend() {
    const std::string path = any_file();
    ByteVector content = pristine_[path];
    const std::size_t more = 1 + below(5000);
    const std::size_t filling = below(256);
    content.resize(content.size() + more, static_cast<std::byte>(filling));
    write_file(at(path), content);
    return {path + " " + std::to_string(more) + " " + std::to_string(filling), {path}, {}};
  }
  /// Exchanges as many bytes at two places, in place: doing it again takes it back.
  void exchange(const std::string& a, std::size_t from, const std::string& b, std::size_t to,
                std::size_t count) {
    std::fstream first(at(a), std::ios::in | std::ios::out | std::ios::binary);
    std::fstream second(at(b), std::ios::in | std::ios::out | std::ios::binary);
    std::string left(count, 0);
    std::string right(count, 0);
    const auto length = static_cast<std::streamsize>(count);
    first.seekg(static_cast<std::streamoff>(from)).read(left.data(), length);
    second.seekg(static_cast<std::streamoff>(to)).read(right.data(), length);
    first.seekp(static_cast<std::streamoff>(from)).write(right.data(), length).flush();
    second.seekp(static_cast<std::streamoff>(to)).write(left.data(), length).flush();
    CLOISTER_CHECK(first.good() && second.good());
  }
  /// Runs of up to eight chunks.
  Harm swap_chunks(bool between) {
    const std::string a = any(large_);
    std::string b = a;
    while (between && b == a) b = any(large_);
    const std::size_t run = 1 + below(kLargeChunks / 2);
    std::size_t from = below(kLargeChunks - run + 1);
    std::size_t to = below(kLargeChunks - run + 1);
    while (!between && (from > to ? from - to : to - from) < run) {
      from = below(kLargeChunks - run + 1);
      to = below(kLargeChunks - run + 1);
    }
    const bool turned = between ? b < a : to < from;
    const std::string& first = turned ? b : a;
    const std::string& second = turned ? a : b;
    if (turned) std::swap(from, to);
    const std::size_t left = pristine_[first].size() - kLargeBytes + from * kMiB;
    const std::size_t right = pristine_[second].size() - kLargeBytes + to * kMiB;
    const auto swap = [=, this] { exchange(first, left, second, right, run * kMiB); };
    swap();
    return {first + " " + std::to_string(from) + " " + second + " " + std::to_string(to) + " " +
                std::to_string(run),
            {first, second},
            swap};
  }
  Harm swap_versions() {
    const std::string a = any(versions_);
    std::string b = a;
    while (b == a || pristine_[b].size() > kMiB) b = any(versions_);
    const auto swap = [=, this] {
      fs::rename(at(a), folder_ / "aside");
      fs::rename(at(b), at(a));
      fs::rename(folder_ / "aside", at(b));
    };
    swap();
    return {std::min(a, b) + " " + std::max(a, b), {a, b}, swap};
  }
  Harm foreign() {
    // The other store has the same root secret, so that only its own identity tells it apart.
    const std::string path = any(paths_);
    auto theirs = other_.lower_bound(path.substr(0, path.find('/')));
    std::advance(theirs, static_cast<std::ptrdiff_t>(below(other_.size())) %
                             std::distance(theirs, other_.end()));
    write_file(at(path), theirs->second);
    return {path + " " + theirs->first, {path}, {}};
  }
  Harm older() {
    // An old catalogue file beside or instead of newer ones. Taking the newest files away is an
    // older store as a whole, which the files cannot show: it opens, as it was then.
    Harm done;
    for (const auto& [path, content] : older_) {
      if (below(2) == 0) continue;
      write_file(at(path), content);
      done.touched.insert(path);
      done.what += path + " ";
    }
    for (const std::string& path : paths_) {
      if (!path.starts_with("catalogue/") || below(3) != 0) continue;
      fs::remove(at(path));
      done.touched.insert(path);
      done.what += "without " + path + " ";
    }
    if (done.touched.empty()) done.touched.insert("store");
    return done;
  }
  Harm link() {
    const std::string path = any(paths_);
    const std::string target = any(paths_);
    const auto kind = below(3);
    fs::remove(at(path));
    write_file(folder_ / "copy", pristine_[kind == 0 ? path : target]);
    if (kind < 2) fs::create_symlink(folder_ / "copy", at(path));
    if (kind == 2) fs::create_directory(at(path));
    return {path + " " + std::to_string(kind) + (kind == 1 ? target : ""), {path}, {}};
  }
  Harm remove() {
    Harm done;
    const std::size_t count = 1 + below(4);
    while (done.touched.size() < count) {
      const std::string& path = any(paths_);
      if (path == newest_catalogue()) continue;  // that is a rollback, not a damaged store
      done.touched.insert(path);
    }
    for (const std::string& path : done.touched) {
      fs::remove(at(path));
      done.what += path + " ";
    }
    return done;
  }
  std::string newest_catalogue() const {
    return *std::ranges::max_element(paths_, {}, [](const std::string& path) {
      return path.starts_with("catalogue/") ? path : std::string();
    });
  }
  Harm extra() {
    Harm done;
    const std::string folders[] = {"", "versions/", "staging/", "catalogue/"};
    const std::size_t count = 1 + below(5);
    for (std::size_t i = 0; i < count; ++i) {
      const std::string name = folders[below(4)] + "x" + std::to_string(random_());
      write_file(at(name), ByteVector(below(3000)));
      extras_.insert(name);
      done.what += name + " ";
    }
    return done;
  }

  fs::path folder_;
  std::mt19937_64 random_;
  std::unique_ptr<Files> files_;
  std::map<std::string, ByteVector> pristine_;
  std::map<std::string, ByteVector> other_;
  std::map<std::string, ByteVector> older_;
  std::map<std::string, std::uint64_t> numbers_;  ///< of the versions whose own files these are
  std::map<std::string, std::uint64_t> forms_;    ///< of the versions whose forms these are
  std::vector<std::string> paths_;
  std::vector<std::string> core_;  ///< the store's file and its catalogue
  std::vector<std::string> versions_;
  std::vector<std::string> large_;
  std::vector<std::string> smallest_;  ///< of each kind of file
  std::set<std::string> extras_;
  std::set<std::string> seen_;  ///< what was done of the class at hand
  std::size_t next_path_ = 0;
  std::size_t next_byte_ = 0;
  std::size_t next_border_ = 0;
  bool rolled_back_ = false;  ///< whether the class may open as an older store
  std::uint64_t refusals_ = 0;
  std::uint64_t damaged_ = 0;
  std::uint64_t served_ = 0;
  std::uint64_t forms_passed_over_ = 0;
  std::uint64_t forms_served_ = 0;
  std::uint64_t wrong_ = 0;
};

}  // namespace

int tamper(const std::string& folder, std::uint64_t count, std::uint64_t seed,
           const std::string& only) {
  return Tampering(folder, seed).run(count, only) ? 0 : 1;
}

}  // namespace cloister
