import { expect, test } from "vitest";
import { withoutUserInfo } from "./user-info.ts";

test.each([
  ["http://root:secret@10.0.0.1:2379", "http://…@10.0.0.1:2379"],
  ["root:secret@10.0.0.1:2379", "…@10.0.0.1:2379"],
  ["http://root:sec/ret@10.0.0.1:2379", "http://…@10.0.0.1:2379"],
  ["http://root:sec=ret@10.0.0.1:2379", "http://…@10.0.0.1:2379"],
  ["http://root:sec@ret@10.0.0.1:2379", "http://…@10.0.0.1:2379"],
  ["m1=http://a:secret@h:1,m2=https://b:secret@h:2", "m1=http://…@h:1,m2=https://…@h:2"],
  ['received "http://a:secret@h:1"', 'received "http://…@h:1"'],
  ['["a:secret@h:1","h:2"]', '["…@h:1","h:2"]'],
  ["http://10.0.0.1:2379", "http://10.0.0.1:2379"],
])("withoutUserInfo() of %j is %j", (text, shown) => {
  expect(withoutUserInfo(text)).toBe(shown);
});
