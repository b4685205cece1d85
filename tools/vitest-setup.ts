// Runs before every test file: the costly checks of `verify` are on in every test.
import { setVerifying } from "@conclave/base";

setVerifying(true);
