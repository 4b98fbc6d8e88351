#include "verify_command.h"

#include <cstdio>

#include "base/posix/posix_clock.h"
#include "base/posix/posix_entropy.h"
#include "start_checks.h"
#include "store_choice.h"

namespace cloister {

Result<bool> verify_store_command(const Options& options, const ServerConfig& config) {
  CLOISTER_TRY(check_machine(config));
  CLOISTER_ASSIGN(const Software software, check_software(config));
  const PosixClock clock;
  PosixEntropy entropy;
  CLOISTER_ASSIGN(const StorePlace place, find_store(options, config, software.digest, entropy));
  CLOISTER_ASSIGN(const StoreReport report,
                  verify_store(vault_parts(place, entropy, clock), place.root_secret,
                               place.settings));
  std::printf("anchor: %s\nepoch: %llu\nversions: %zu\n", name_of(place.anchor->kind()),
              static_cast<unsigned long long>(report.epoch), report.versions);
  for (const StoreReport::Damage& damage : report.damaged) {
    std::printf("damaged: %s (%s)%s\n", damage.file.c_str(), name_of(damage.code),
                damage.form ? ", an optimised form: it is made anew" : "");
  }
  for (const std::string& path : report.unknown_files) std::printf("unknown: %s\n", path.c_str());
  std::printf("whole: %zu of %zu\n", report.whole, report.versions);
  return report.damaged.empty();
}

}  // namespace cloister
