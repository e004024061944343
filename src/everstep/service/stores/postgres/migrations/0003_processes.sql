-- Which process of which machine an instance is, so that another one there can see that it is gone before its lease ends.
ALTER TABLE instances ADD COLUMN process text;
