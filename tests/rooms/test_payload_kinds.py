"""Values of classes that projects define: dataclasses, exceptions, rows, lazy objects, and types with a codec."""

from decimal import Decimal
from unittest import mock

from django.contrib.auth.models import User
from django.test import TestCase
from django.utils import translation
from django.utils.functional import SimpleLazyObject, lazy, lazystr
from django.utils.translation import gettext_lazy

from durable_django.base import payloads
from durable_django.base.payloads import decoding, packing
from durable_django.exceptions import NotSerializable, RegistrationError, UnreadablePayload
from tests.rooms import payload_samples as samples
from tests.rooms.test_payloads import PayloadTestCase


class WhenADataclassIsStored(PayloadTestCase):
    def test_the_constructor_does_not_run(self):
        """The fields are set one by one, whatever the constructor would say."""
        value = samples.Strict(name="x")
        value.name = ""

        copy = payloads.decode(payloads.encode(value))

        self.assertEqual((type(copy), copy.name, copy.extra), (samples.Strict, "", []))
        self.assertFalse(hasattr(copy, "unset"))

    def test_fields_outside_of_the_constructor_come_back(self):
        """A frozen class with a field of init=False is restored whole."""
        value = samples.Order([samples.Line(1)])
        object.__setattr__(value, "total", Decimal(5))

        self.assertEqual(payloads.decode(payloads.encode(value)), value)

    def test_a_new_field_gets_its_default(self):
        """Code may add a field with a default while values without it are stored."""
        text = '{"$py":"dataclass","v":["tests.rooms.payload_samples:Strict",{"name":"x"}]}'

        self.assertEqual(payloads.decode(text), samples.Strict(name="x"))

    def test_a_new_field_without_default_is_named(self):
        """The error says which field the stored value lacks."""
        text = '{"$py":"dataclass","v":["tests.rooms.payload_samples:Strict",{"extra":[]}]}'

        with self.assertRaisesMessage(UnreadablePayload, "has a field 'name' that the stored value lacks"):
            payloads.decode(text)

    def test_a_field_that_is_gone_is_named(self):
        """A stored field is not dropped in silence."""
        text = '{"$py":"dataclass","v":["tests.rooms.payload_samples:Strict",{"name":"x","age":1}]}'

        with self.assertRaisesMessage(UnreadablePayload, "has no field 'age' any more"):
            payloads.decode(text)

    def test_one_that_is_a_dict_as_well_is_refused(self):
        """Its items would be lost."""
        self.assert_refused(samples.Tally(owner="x"), "value", "is a dataclass and a dict in one")


class WhenAnExceptionIsAValue(PayloadTestCase):
    def test_it_comes_back_with_arguments_attributes_and_cause(self):
        """The class, args, attributes, notes and cause are those that went in."""
        value = samples.OutOfStock(sku="A1", left=Decimal(2))
        value.__cause__ = KeyError("A1")
        value.add_note("seen in the shop")

        copy = payloads.decode(payloads.encode({"error": value}))["error"]

        self.assertIs(type(copy), samples.OutOfStock)
        self.assertEqual((copy.args, copy.sku, copy.left), (value.args, "A1", Decimal(2)))
        self.assertEqual(copy.__notes__, ["seen in the shop"])
        self.assertEqual(repr(copy.__cause__), "KeyError('A1')")

    def test_those_of_python_keep_what_is_not_in_args(self):
        """OSError, UnicodeError, ImportError and classes with slots come back whole."""
        slotted = samples.Slotted("x")
        slotted.code = 7
        for value, names in (
            (FileNotFoundError(2, "No such file", "/tmp/x"), "errno strerror filename"),
            (UnicodeDecodeError("utf8", b"\xff", 0, 1, "bad"), "encoding object start end reason"),
            (ImportError("no", name="n", path="p"), "msg name path"),
            (StopIteration(3), "value"),
            (samples.ProviderDown("bank"), "errno strerror provider"),
            (slotted, "code"),
        ):
            with self.subTest(value=value):
                copy = payloads.decode(payloads.encode(value))

                self.assertEqual((type(copy), copy.args, str(copy)), (type(value), value.args, str(value)))
                for name in names.split():
                    self.assertEqual(getattr(copy, name), getattr(value, name))

    def test_a_group_comes_back_with_its_children(self):
        """Groups keep message and children, groups in groups too."""
        value = ExceptionGroup("all", [ValueError(1), ExceptionGroup("in", [KeyError("k")])])

        copy = payloads.decode(payloads.encode(value))

        self.assertEqual(repr(copy), repr(value))

    def test_what_is_not_an_exception_is_refused(self):
        """KeyboardInterrupt and its kin would not come back."""
        self.assert_refused([samples.Stop()], "value[0]", "is not an Exception")

    def test_an_argument_that_cannot_be_stored_is_named(self):
        """The path leads into the exception."""
        self.assert_refused(ValueError(1, object()), "value.args[1]", "object is not a type that is stored")


class WhenAValueIsAModelInstance(TestCase):
    def test_it_is_stored_by_reference_and_read_as_it_is_now(self):
        """Label, alias and key are stored; the row is read when the value is."""
        user = User.objects.create(username="ann")
        text = payloads.encode([user])
        User.objects.update(username="eve")

        [copy] = payloads.decode(text)

        self.assertEqual(text, f'[{{"$py":"model","v":["auth.User","default",{user.pk}]}}]')
        self.assertEqual((type(copy), copy.pk, copy.username), (User, user.pk, "eve"))

    def test_a_lazy_one_is_stored_as_what_it_wraps(self):
        """request.user is a lazy object and comes back as the user."""
        user = User.objects.create(username="ann")

        copy = payloads.decode(payloads.encode(SimpleLazyObject(lambda: user)))

        self.assertIs(type(copy), User)

    def test_one_that_is_not_saved_is_refused(self):
        """Neither a row without key nor one that only has its key is stored."""
        for user in (User(), User(pk=5)):
            with self.assertRaisesMessage(NotSerializable, "this auth.User is not saved"):
                payloads.encode(user)

    def test_a_row_that_is_gone_is_explained(self):
        """The error names model, key and database."""
        with self.assertRaisesMessage(
            UnreadablePayload, "auth.User with primary key 7 no longer exists in the database"
        ):
            payloads.decode('{"$py":"model","v":["auth.User","default",7]}')

    def test_a_damaged_reference_is_explained(self):
        """Unknown models, aliases and impossible keys are unreadable, nothing worse."""
        for content in (
            '["auth.Nobody","default",1]',
            '["auth.User","moon",1]',
            '["auth.User","default",{}]',
            '["x",1]',
        ):
            with self.subTest(content=content), self.assertRaises(UnreadablePayload):
                payloads.decode(f'{{"$py":"model","v":{content}}}')


class WhenAValueIsLazy(PayloadTestCase):
    def test_a_translation_is_stored_in_the_language_of_now(self):
        """What comes back is a plain string."""
        with translation.override("de"):
            copy = payloads.decode(payloads.encode(gettext_lazy("Yes")))

        self.assertEqual((type(copy), copy), (str, "Ja"))

    def test_every_kind_of_lazy_call_is_evaluated(self):
        """The type of the result decides."""
        self.assert_comes_back(payloads.decode(payloads.encode({"a": lazystr(5), "b": lazy(lambda: 7, int)()})))
        self.assertEqual(payloads.decode(payloads.encode(lazy(lambda: 7, int)())), 7)


class WhenAProjectRegistersACodec(PayloadTestCase):
    def setUp(self):
        self.enterContext(mock.patch.dict(packing.PACKERS))
        self.enterContext(mock.patch.dict(decoding.UNPACKERS))

    def register(self, cls=samples.Money, tag="shop.Money"):
        payloads.register_codec(
            cls,
            tag=tag,
            encode=lambda money: (money.amount, money.currency),
            decode=lambda parts: samples.Money(*parts),
        )

    def test_values_of_the_class_come_back(self):
        """The encoder's answer is stored under a tag of the project's own."""
        self.register()

        text = payloads.encode([samples.Money(Decimal("1.50"), "EUR")])

        self.assertIn('"$py":"custom:shop.Money"', text)
        self.assertEqual(payloads.decode(text), [samples.Money(Decimal("1.50"), "EUR")])

    def test_a_class_or_tag_that_is_taken_is_refused(self):
        """Neither built-in types nor earlier codecs can be replaced."""
        self.register()

        for cls, tag in (
            (samples.Money, "other"),
            (samples.Loud, "shop.Money"),
            (int, "int"),
            (samples.Loud, "a b"),
            (5, "x"),
        ):
            with self.subTest(cls=cls, tag=tag), self.assertRaises(RegistrationError):
                self.register(cls, tag)

    def test_a_failing_encoder_is_named(self):
        """The path of the value comes with what the codec raised."""
        self.register()

        self.assert_refused(
            [samples.Money(object(), "EUR")], "value[0] (encoded as custom:shop.Money)[0]", "not a type"
        )
        with mock.patch.object(samples.Money, "__slots__", (), create=True):
            broken = object.__new__(samples.Money)
            self.assert_refused([broken], "value[0]", "its codec 'custom:shop.Money' raised AttributeError")

    def test_a_failing_decoder_is_an_unreadable_payload(self):
        """Whatever the decoder raises, the caller sees one class of error."""
        self.register()

        with self.assertRaisesMessage(
            UnreadablePayload, "what the tag 'custom:shop.Money' holds is malformed (TypeError"
        ):
            payloads.decode('{"$py":"custom:shop.Money","v":5}')
