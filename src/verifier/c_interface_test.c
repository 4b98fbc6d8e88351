/* The C interface as a C program sees it; also that the header is C. */
#include <stdio.h>
#include <string.h>

#include "verifier/cloister_verify.h"

static int expect(int seen, int expected, const char* what) {
  if (seen == expected) return 0;
  printf("%s: expected %d, got %d\n", what, expected, seen);
  return 1;
}

int main(void) {
  const unsigned char content[] = "no quote at all";
  const cloister_file file = {"evidence.quote", {content, sizeof content - 1}};
  const cloister_bytes none = {NULL, 0};
  cloister_case the_case = {NULL, 0, NULL, 1767225600};
  char* verdict = NULL;
  int failures = 0;
  failures += expect(cloister_verify_recorded(&file, 1, NULL, none, &the_case, &verdict),
                     CLOISTER_REFUSED, "bytes that are no quote");
  failures += expect(verdict != NULL && strstr(verdict, "\"accepted\":false") != NULL, 1,
                     "the verdict says so");
  cloister_verify_free(verdict);
  failures += expect(cloister_verify_certificate(file.content, &the_case, &verdict),
                     CLOISTER_REFUSED, "bytes that are no certificate");
  cloister_verify_free(verdict);
  failures += expect(cloister_verify_answer(file.content, NULL, &the_case, &verdict),
                     CLOISTER_REFUSED, "bytes that are no answer");
  cloister_verify_free(verdict);
  the_case.policy_json = "{\"no such key\": 1}";
  failures += expect(cloister_verify_recorded(&file, 1, NULL, none, &the_case, &verdict),
                     CLOISTER_MISUSED, "a malformed policy");
  failures += expect(verdict == NULL, 1, "no verdict then");
  failures += expect(cloister_verify_recorded(&file, 1, NULL, none, NULL, &verdict),
                     CLOISTER_MISUSED, "no case");
  cloister_verify_free(NULL);
  return failures;
}
